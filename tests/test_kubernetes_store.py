"""The store of the embedded Kubernetes API server: nothing acknowledged is lost, and damage is told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_kubernetes_cluster import START, _watch, deployment, opened, thing

from labs.errors import LabsError
from labs.services.kubernetes.resources import CONFIGMAPS
from labs.services.kubernetes.store import Store

WRITER = """
import itertools, sys
from pathlib import Path
from labs.services.kubernetes.resources import CONFIGMAPS
from labs.services.kubernetes.store import Store
store = Store(Path(sys.argv[1]))
for number in itertools.count(len(store.every(CONFIGMAPS))):
    with store.transaction():
        meta = {"namespace": "default", "name": f"c{number:06}"}
        stored = store.put(CONFIGMAPS, {"metadata": meta, "data": {"x": "y" * 2000}})
        store.put(CONFIGMAPS, {**stored, "data": {"x": str(number)}})
    print(number, flush=True)
"""


def test_a_killed_server_has_lost_nothing_that_it_told(tmp_path: Path) -> None:
    draws = random.Random(3)
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        told = -1
        for _ in range(draws.randint(20, 200)):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout.read().split())])
        writer.wait()
        store = Store(tmp_path)
        found = store.every(CONFIGMAPS)
        assert len(found) >= told + 1
        assert all(one["data"] == {"x": str(number)} for number, one in enumerate(found))
        assert store.version == 1 + 2 * len(found)
        store.close()


def test_a_restarted_cluster_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as api:
        api.images(**{"app:1": {"start_seconds": 20}})
        api.create(deployment(container={"readinessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 5}}))
        api.wait(10)
        before, token = api.items("Pod"), api.token
        version = api.ask("GET", api.path("Pod"))["metadata"]["resourceVersion"]
    with opened(tmp_path) as api:
        assert api.token == token and api.items("Pod") == before
        assert api.ask("GET", "/labs/v1/clock")["seconds"] == START + 10
        assert _watch(api, api.path("Pod"), resourceVersion=version) == []
        assert _watch(api, api.path("Pod"), resourceVersion="3") == [("ERROR", "")]  # 410: list anew
        api.wait(15)
        assert api.get("Deployment", "web")["status"]["availableReplicas"] == 3


def test_a_transaction_happens_whole_or_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    seen: list[str] = []
    store.listen(lambda change: seen.append(change.what))
    kept = store.put(CONFIGMAPS, {"metadata": {"namespace": "a", "name": "kept"}, "data": {"x": "1"}})
    version = store.version
    with pytest.raises(RuntimeError), store.transaction():
        store.put(CONFIGMAPS, {**kept, "data": {"x": "2"}})
        store.put(CONFIGMAPS, {"metadata": {"namespace": "a", "name": "new"}})
        store.remove(CONFIGMAPS, kept)
        raise RuntimeError
    assert store.every(CONFIGMAPS) == [kept] and store.version == version and seen == ["ADDED"]
    store.close()
    again = Store(tmp_path)
    assert again.every(CONFIGMAPS) == [kept] and again.version == version
    again.close()


def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(LabsError, match="in use by another"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


@pytest.mark.parametrize("damage", ["zeros", "text", "body", "format"])
def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as api:
        for number in range(50):
            api.create(thing("ConfigMap", f"c{number}", data={"x": "y" * 500}))
    path = tmp_path / "objects.sqlite"
    if damage == "text":
        path.write_text("not a database")
    elif damage == "zeros":
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(8192))
    else:
        import sqlite3

        with sqlite3.connect(path) as base:
            base.execute("UPDATE objects SET body='{'" if damage == "body" else "PRAGMA user_version=99")
        base.close()
    with pytest.raises(LabsError, match="damaged") as told:
        Store(tmp_path)
    assert "Move the folder" in told.value.next_step


def test_the_command_tells_what_is_wrong(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "labs.services.kubernetes", *arguments], capture_output=True, text=True
        )
        return done.returncode, done.stderr

    assert run() == (2, "usage: python -m labs.services.kubernetes SOCKET DATA [SPEED]\n")
    code, text = run("99", str(tmp_path))
    assert code == 2 and "cannot start" in text and "Traceback" not in text
    assert os.listdir(tmp_path) == []
