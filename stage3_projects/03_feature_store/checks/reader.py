"""A model server and another team in small: reads fraud_v1 and the registry in a loop, one line for each time.

python reader.py REQUEST.json STOP READS

It ends when the file STOP appears. The file READS grows by a byte for each time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, os.getcwd())

PAUSE = 0.01  # seconds


def registered() -> list[str]:
    """The views and services in the registry's file, as anybody finds them who opens it now."""
    from feast.protos.feast.core.Registry_pb2 import Registry

    registry = Registry.FromString(Path("data/registry.db").read_bytes())
    return sorted(one.spec.name for one in (*registry.feature_views, *registry.feature_services))


def look(features, asked: dict) -> dict:
    line: dict = {}
    try:
        line["registered"] = registered()
    except Exception as error:
        line["registry error"] = type(error).__name__
    try:
        now = datetime.fromisoformat(asked["now"])
        table = features.online(asked["payer_ids"], asked["amounts_paise"], now, asked["service"])
        line |= {"columns": list(table.columns), "rows": table.astype(object).to_numpy().tolist()}
    except Exception as error:
        line["error"] = type(error).__name__
    return line


def main(request: str, stop: str, reads: str) -> None:
    asked = json.loads(Path(request).read_text())
    import features

    while not Path(stop).exists():
        print(f"READ {json.dumps(look(features, asked), default=str)}", flush=True)
        with open(reads, "ab") as file:
            file.write(b".")
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
