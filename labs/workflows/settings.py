"""What a run is told about the repository, its settings and the machine's image; and where it keeps its files."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labs.workflows.registry import Registry

if TYPE_CHECKING:
    from labs.workflows.actions import Done, Inputs, Site


@dataclass(frozen=True)
class Image:
    """What is installed on the runner.

    Args:
        python: the interpreter that jobs start from.
        library: folders of site-packages from which the stand-in for pip installs.
        index: a folder of `name-version` folders: packages of the house itself. "" for none.
        path: PATH of a job, behind its own tools.
    """

    python: str = field(default_factory=lambda: getattr(sys, "_base_executable", sys.executable))
    library: tuple[str, ...] = field(default_factory=lambda: (sysconfig.get_path("purelib"),))
    index: str = ""
    path: str = "/usr/local/bin:/usr/bin:/bin"

    @property
    def version(self) -> str:
        """Major and minor version of its Python."""
        return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Settings:
    """One repository on GitHub, as far as a run needs it.

    Args:
        origin: the bare git repository, relative to the machine's folder.
        repository: `owner/name`.
        secrets, variables: of the repository. A pull request from a fork sees no secrets.
        default_permissions: "write-all" or "read-all": the repository's setting for tokens.
        played: actions that the caller does itself, at whatever version: by `owner/name` in lower case.
        most_seconds: a command that runs longer is ended here, whatever its timeout.
    """

    origin: str
    repository: str = "nukkad-pay/payments"
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    default_permissions: str = "write-all"
    registry: Registry = field(default_factory=Registry)
    played: Mapping[str, Callable[[Site, Inputs], Done]] = field(default_factory=dict)
    image: Image = field(default_factory=Image)
    most_seconds: float = 60.0
    run_id: int = 1


@dataclass(frozen=True)
class Folders:
    """Where one job keeps its files, relative to the machine's folder."""

    base: str

    @property
    def workspace(self) -> str:
        return f"{self.base}/repo"

    @property
    def temp(self) -> str:
        return f"{self.base}/temp"

    @property
    def files(self) -> str:
        return f"{self.base}/files"

    @property
    def tools(self) -> str:
        return f"{self.base}/tools"
