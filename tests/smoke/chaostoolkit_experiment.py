"""chaostoolkit: the command runs an experiment, sees the steady state broken, and rolls back."""

import json
import subprocess
import sys
from pathlib import Path


def python(name: str, code: str, kind: str, **more: object) -> dict[str, object]:
    provider = {"type": "process", "path": sys.executable, "arguments": ["-c", code]}
    return {"type": kind, "name": name, "provider": provider, **more}


experiment = {
    "title": "Does the service live without its file?",
    "description": "A smoke test",
    "steady-state-hypothesis": {
        "title": "The file is there",
        "probes": [python("file", "open('state')", "probe", tolerance=0)],
    },
    "method": [python("break it", "import os; os.rename('state', 'gone')", "action")],
    "rollbacks": [python("mend it", "import os; os.rename('gone', 'state')", "action")],
}
Path("state").write_text("up")
Path("experiment.json").write_text(json.dumps(experiment))
command = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "run", "--rollback-strategy", "always"]
done = subprocess.run([*command, "experiment.json"], capture_output=True, text=True, timeout=60)
journal = json.loads(Path("journal.json").read_text())
assert journal["steady_states"]["before"]["steady_state_met"] is True, done.stderr
assert journal["deviated"] is True, done.stderr
assert Path("state").exists(), "the rollback did not run"
