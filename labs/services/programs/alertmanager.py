"""The real Alertmanager on PORT, with its settings in DATA/alertmanager.yml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labs.services.programs.found import ALERTMANAGER, program

SETTINGS = """# Yours to change: labs up alertmanager keeps it.
route:
  receiver: nobody
receivers:
  - name: nobody
"""


def main(argv: list[str]) -> int:
    port, data = argv[0], Path(argv[1])
    settings = data / "alertmanager.yml"
    if not settings.exists():
        settings.write_text(SETTINGS)
    options = [f"--config.file={settings}", f"--storage.path={data / 'state'}", "--log.level=warn"]
    options += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    os.execv(next(filter(None, map(program, ALERTMANAGER))), ["alertmanager", *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
