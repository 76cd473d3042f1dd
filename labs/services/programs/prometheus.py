"""The real Prometheus on PORT: scrapes what DATA/targets/*.json names, reads rules from DATA/rules/*.yml.

A file of targets is what Prometheus itself reads (https://prometheus.io/docs/guides/file-sd/):
[{"targets": ["127.0.0.1:8000"], "labels": {"job": "fraud"}}]. It notices a new file without being told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labs.services.programs.found import program

SETTINGS = """# Yours to change: labs up prometheus keeps it.
global:
  scrape_interval: 5s
  evaluation_interval: 5s
rule_files:
  - rules/*.yml
scrape_configs:
  - job_name: labs
    file_sd_configs:
      - files: [targets/*.json]
        refresh_interval: 5s
"""


def main(argv: list[str]) -> int:
    port, data = argv[0], Path(argv[1])
    for folder in ("targets", "rules"):
        (data / folder).mkdir(exist_ok=True)
    settings = data / "prometheus.yml"
    if not settings.exists():
        settings.write_text(SETTINGS)
    options = [f"--config.file={settings}", f"--storage.tsdb.path={data / 'metrics'}"]
    options += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle", "--log.level=warn"]
    os.execv(program("prometheus"), ["prometheus", *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
