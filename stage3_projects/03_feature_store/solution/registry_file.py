"""Feast's registry as one file that is always whole, for whoever reads it while it changes."""

from __future__ import annotations

import os

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.repo_config import RegistryConfig


class WholeFileRegistryStore(FileRegistryStore):
    """Lets Feast write beside the file, then renames: readers see the old registry or the new one.

    Feast itself empties the file and then fills it, and an empty file is a valid registry in which nothing is
    registered. A reader that looks in between loses its views. (Feast wants the name to end in `RegistryStore`.)
    """

    def update_registry_proto(self, registry_proto: Registry) -> None:
        half = self._filepath.with_name(f"{self._filepath.name}.{os.getpid()}")
        FileRegistryStore(RegistryConfig(path=str(half)), half.parent).update_registry_proto(registry_proto)
        os.replace(half, self._filepath)
