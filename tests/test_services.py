"""Services start once, answer their own real clients, survive whoever started them, and leave nothing when ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from labs.errors import LabsError
from labs.machine import COMPOSE, EMBEDDED, LOCAL
from labs.services import KINDS, Supervisor, compose
from labs.services.home import TOKEN, Home, Running
from labs.services.supervisor import Standing

ENV = {
    **os.environ,
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_LOGGING_LEVEL": "ERROR",
}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / ".services", usual_ports=False)
    yield supervisor
    for name in KINDS:
        supervisor.down(name)


def running(standing: Standing) -> Running:
    assert standing.running is not None
    assert standing.answers
    return standing.running


def of_token(token: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN) == token:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def soon(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def client(code: str, standing: Standing) -> str:
    """What a learner's own program prints, which knows nothing but the standard variables."""
    variables = {**ENV, **standing.variables}
    # -O: MLflow's client imports Feast (an entry point of Feast's), which without it takes seconds to check its types.
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], env=variables, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


REDIS = """
import os, redis
store = redis.Redis.from_url(os.environ["REDIS_URL"])
lease = store.lock("nightly", timeout=5)
print(store.set("day", "2026-03-01", nx=True), store.set("day", "other", nx=True), store.get("day").decode())
print(lease.acquire(blocking=False), store.lock("nightly").acquire(blocking=False), lease.release())
"""
AWS = """
import boto3
s3 = boto3.client("s3")
s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
s3.put_object(Bucket="models", Key="fraud/1", Body=b"bytes")
print(s3.get_object(Bucket="models", Key="fraud/1")["Body"].read().decode())
"""
POSTGRES = """
import os, sqlalchemy
engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"])
with engine.begin() as connection:
    connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS marks (learner text, points int)"))
    connection.execute(sqlalchemy.text("INSERT INTO marks VALUES ('asha', 40)"))
    print(connection.execute(sqlalchemy.text("SELECT points FROM marks")).scalar())
"""
KUBERNETES = """
from kubernetes import client, config
config.load_kube_config()
core = client.CoreV1Api()
core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="fraud")))
print([space.metadata.name for space in core.list_namespace().items if space.metadata.name == "fraud"])
"""
PROMETHEUS = """
import os, httpx
answer = httpx.get(os.environ["PROMETHEUS_URL"] + "/api/v1/query", params={"query": "vector(7) * 6"})
print(answer.json()["data"]["result"][0]["value"][1])
"""
ALERTMANAGER = """
import os, time, httpx
url = os.environ["ALERTMANAGER_URL"] + "/api/v2/alerts"
httpx.post(url, json=[{"labels": {"alertname": "ErrorBudgetBurns"}}]).raise_for_status()
print([alert["labels"]["alertname"] for alert in httpx.get(url).json()])
"""
MLFLOW = """
import mlflow, pathlib
with mlflow.start_run() as run:
    mlflow.log_metric("pr_auc", 0.43)
    pathlib.Path("note.txt").write_text("kept")
    mlflow.log_artifact("note.txt")
print(mlflow.get_run(run.info.run_id).data.metrics["pr_auc"])
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
"""
PREFECT = """
from prefect import flow, get_client
@flow
def nightly(day): return day
print(nightly("2026-03-01"))
with get_client(sync_client=True) as client:
    print([run.state_name for run in client.read_flow_runs()])
"""


WANTED = {
    "redis": (REDIS, "True None 2026-03-01\nTrue False None"),
    "aws": (AWS, "bytes"),
    "mlflow": (MLFLOW, "0.43\nkept"),
    "prefect": (PREFECT, "2026-03-01\n['Completed']"),
    "postgres": (POSTGRES, "40"),
    "kubernetes": (KUBERNETES, "['fraud']"),
    "prometheus": (PROMETHEUS, "42"),
    "alertmanager": (ALERTMANAGER, "['ErrorBudgetBurns']"),
}
# Somebody's own cluster is not for tests to write into, and containers are for `make test-docker`.
OTHERS = {("kubernetes", LOCAL), *((name, COMPOSE) for name in WANTED)}
TIERS = [(name, tier) for name in WANTED for tier in KINDS[name].tiers if (name, tier) not in OTHERS]


@pytest.mark.parametrize(("name", "tier"), TIERS)
def test_its_own_client_reaches_it_at_each_tier(
    name: str, tier: str, services: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not KINDS[name].tiers[tier].here and not os.environ.get("LABS_TEST_REAL"):
        pytest.skip(f"not on this machine: {KINDS[name].tiers[tier].get_it}")
    monkeypatch.chdir(tmp_path)
    standing = services.up(name, tier)
    assert running(standing).tier == tier
    code, wanted = WANTED[name]
    lines = wanted.splitlines()
    assert client(code, standing).splitlines()[-len(lines) :] == lines
    assert services.up(name, tier).running == standing.running, "what runs stays as it is"


def test_the_embedded_redis_keeps_a_connection_after_an_error_and_sends_large_values(
    services: Supervisor,
) -> None:
    code = """
import os, redis
store = redis.Redis.from_url(os.environ["REDIS_URL"], single_connection_client=True)
me = store.client_id()
store.set("text", "a")
for wrong in (("EVALSHA", "0" * 40, 0), ("LPUSH", "text", "a"), ("NO",)):
    try:
        store.execute_command(*wrong)
    except redis.ResponseError as error:
        print(type(error).__name__, str(error).split()[0], store.client_id() == me)
store.set("large", b"x" * 20_000_000)
print(len(store.get("large")))
"""
    said = client(code, services.up("redis", EMBEDDED)).splitlines()
    assert said == [
        "NoScriptError No True",
        "ResponseError WRONGTYPE True",
        "ResponseError unknown True",
        "20000000",
    ]


def test_many_flows_may_run_at_once_on_the_embedded_prefect(services: Supervisor) -> None:
    """With SQLite as Prefect opens it, writers that meet are refused, and clients then sleep for seconds."""
    code = """
import collections, concurrent.futures, os, httpx

url = os.environ["PREFECT_API_URL"]
flow = httpx.post(f"{url}/flows/", json={"name": "nightly"}).json()["id"]


def write(_):
    with httpx.Client(base_url=url, timeout=120) as client:
        for _ in range(12):
            run = client.post("/flow_runs/", json={"flow_id": flow, "state": {"type": "PENDING"}})
            yield run.status_code
            for state in ("RUNNING", "COMPLETED"):
                path = f"/flow_runs/{run.json()['id']}/set_state"
                yield client.post(path, json={"state": {"type": state}}).status_code


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(collections.Counter(code for codes in pool.map(lambda n: list(write(n)), range(8)) for code in codes))
"""
    assert client(code, services.up("prefect", EMBEDDED)) == "Counter({201: 288})"


def test_it_survives_the_command_that_started_it(services: Supervisor) -> None:
    code = (
        "import os, sys; from pathlib import Path; from labs.services import Supervisor\n"
        "Supervisor(Path(sys.argv[1])).up('redis'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(services.folder)], timeout=60)
    running(services.standing("redis"))


def test_down_leaves_no_process_and_no_port(services: Supervisor) -> None:
    now = running(services.up("redis"))
    assert of_token(now.token)
    assert services.down("redis") == ("redis",)
    assert not of_token(now.token)
    assert not psutil.pid_exists(now.keeper)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", now.port)) != 0
    assert not services.down("redis"), "a second time is harmless"


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a killed keeper's service is found by the next up"
)
def test_a_killed_keeper_takes_its_service_along_and_up_mends_it(services: Supervisor) -> None:
    now = running(services.up("redis"))
    os.kill(now.keeper, signal.SIGKILL)
    assert soon(lambda: not of_token(now.token))
    assert services.standing("redis").running is None
    assert services.home("redis").died
    again = running(services.up("redis"))
    assert again.port == now.port, "the address lasts"


def test_a_service_that_dies_is_noticed_and_said(services: Supervisor) -> None:
    now = running(services.up("redis"))
    for process in of_token(now.token):
        process.kill()
    assert soon(lambda: services.standing("redis").running is None)
    assert "redis ended by itself with exit status -9." in services.home("redis").last_lines(1)
    running(services.up("redis"))


def test_a_taken_port_is_no_trouble(services: Supervisor) -> None:
    port = running(services.up("redis")).port
    services.down("redis")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert running(services.up("redis")).port != port


@pytest.mark.parametrize("record", ["", "not json", '{"schema": 1}', '{"schema": 99}', "[]"])
def test_a_damaged_record_is_no_record(record: str, services: Supervisor) -> None:
    home = services.home("redis")
    home.folder.mkdir(parents=True)
    (home.folder / "record.json").write_text(record)
    (home.folder / "port").write_text("not a port")
    running(services.up("redis"))


def test_a_stale_record_ends_nobody(services: Supervisor) -> None:
    """The process that now has the keeper's number is somebody else's."""
    home = services.home("redis")
    home.folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as innocent:
        home.record(Running("redis", "embedded", 1, innocent.pid, "0" * 16))
        running(services.up("redis"))
        services.down("redis")
        assert innocent.poll() is None
        innocent.kill()


def test_a_service_that_is_only_busy_is_not_ended(services: Supervisor) -> None:
    before = running(services.up("redis"))
    mine = [process for process in of_token(before.token) if process.pid != before.keeper]
    for process in mine:
        process.suspend()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(services.up, "redis")
        time.sleep(3)  # longer than one question waits
        for process in mine:
            process.resume()
        assert running(asked.result()) == before


def test_many_at_once_start_one(services: Supervisor) -> None:
    with ThreadPoolExecutor(4) as pool:
        keepers = {running(one).keeper for one in pool.map(lambda _: services.up("redis"), range(4))}
    assert len(keepers) == 1


def test_two_learners_never_meet(tmp_path: Path, services: Supervisor) -> None:
    other = Supervisor(tmp_path / "other", usual_ports=False)
    try:
        first, second = running(services.up("redis")), running(other.up("redis"))
        assert first.port != second.port
        services.down("redis")
        running(other.standing("redis"))
    finally:
        other.down("redis")


def test_damaged_data_is_said_and_can_be_set_aside(services: Supervisor) -> None:
    home = services.home("mlflow")
    home.data.mkdir(parents=True)
    (home.data / "mlflow.db").write_bytes(b"this is no database" * 100)
    try:
        services.up("mlflow")
    except LabsError as error:
        assert "MLflow" in error.message
        assert "--fresh" in error.next_step
    aside = services.set_aside("mlflow")
    assert aside is not None
    assert (aside / "mlflow.db").read_bytes().startswith(b"this is no database"), "nothing is lost"
    running(services.up("mlflow"))


def test_what_does_not_exist_is_named(services: Supervisor) -> None:
    with pytest.raises(LabsError, match="no service 'kafka'"):
        services.up("kafka")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabsError, match="cannot be used"):
        Supervisor(tmp_path / "file").up("redis")


def test_a_full_disk_is_said_and_nothing_stays_behind(tmp_path: Path) -> None:
    """In a mount namespace of its own with a disk of 64 KiB; a machine that refuses one cannot show this."""
    script = f"""
    mount -t tmpfs -o size=64k none {tmp_path} || exit 99
    head -c 1000000 /dev/zero > {tmp_path}/filler 2>/dev/null
    LABS_WORK={tmp_path}/work {sys.executable} -m labs up redis
    """
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody make a mount namespace")
    assert done.returncode == 2, done
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_clock_that_jumps_changes_nothing(services: Supervisor) -> None:
    """Files of services look a year old, or come from the future: it runs all the same."""
    now = running(services.up("redis"))
    for year in (-1, 1):
        for path in services.home("redis").folder.rglob("*"):
            moment = time.time() + year * 365 * 86400
            os.utime(path, (moment, moment))
        assert services.standing("redis").running == now
        assert running(services.up("redis")) == now


def test_the_compose_tier_is_dockers_to_start_and_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a command `docker` that only writes down what it is asked."""
    asked = tmp_path / "asked"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    docker.chmod(0o755)
    (tmp_path / "make_secrets.py").write_text("")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redis.conf").write_text("requirepass not-so-secret\n")
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(compose, "SECRETS", tmp_path / "secrets")
    compose.there.cache_clear()
    try:
        services = Supervisor(tmp_path / ".services")
        standing = services.up("redis", COMPOSE)
        assert standing.variables == {"REDIS_URL": "redis://:not-so-secret@127.0.0.1:6379/0"}
        assert services.down("redis") == ("redis",)
        started, ended = (line for line in asked.read_text().splitlines() if "--file" in line)
        assert "--profile all up --detach --build --wait" in started
        assert started.endswith(" redis")
        assert ended.endswith("--profile all rm --stop --force redis")
        with pytest.raises(LabsError, match="AWS API cannot be run in a container"):
            services.up("aws", COMPOSE)
        docker.write_text("#!/bin/sh\necho no space left >&2; exit 1\n")
        with pytest.raises(LabsError, match="no space left"):
            services.up("redis", COMPOSE)
    finally:
        compose.there.cache_clear()


def test_mlflow_answers_to_the_names_by_which_a_codespace_reaches_it(
    services: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESPACE_NAME", "fluffy-waffle")
    monkeypatch.setenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    now = running(services.up("mlflow"))

    def asked_as(host: str, origin: str = "") -> int:
        headers = {"Host": host, **({"Origin": origin} if origin else {})}
        url = f"http://127.0.0.1:{now.port}/api/2.0/mlflow/experiments/search"
        return httpx.post(url, headers=headers, json={"max_results": 1}).status_code

    forwarded = f"fluffy-waffle-{now.port}.app.github.dev"
    assert asked_as(forwarded, origin=f"https://{forwarded}") == 200
    assert asked_as(f"localhost:{now.port}") == 200
    assert asked_as("evil.example") == 403
    assert asked_as(f"other-{now.port}.app.github.dev") == 403
    assert asked_as(forwarded, origin="https://evil.example") == 403


@pytest.mark.parametrize(("says", "wanted"), [("", "slow"), ("cannot read its file", "--fresh")])
def test_what_never_answers_is_told_apart_by_its_words(
    says: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data are not called damaged because a machine is slow."""
    redis = KINDS["redis"]
    hurried = replace(redis.tiers[EMBEDDED], ready_seconds=0.3)
    monkeypatch.setitem(KINDS, "redis", replace(redis, tiers={**redis.tiers, EMBEDDED: hurried}))

    class Silent:
        pid = 2**30

        def poll(self) -> int | None:
            return None

    def launch(words: list[str], variables: Mapping[str, str], home: Home) -> Silent:
        home.log.write_text(says)
        return Silent()

    asked = Supervisor(tmp_path, usual_ports=False, launch=launch)
    with pytest.raises(LabsError, match="does not answer after") as refused:
        asked.up("redis", EMBEDDED)
    assert wanted in refused.value.next_step
