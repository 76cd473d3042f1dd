"""The services there are: for each tier how it is started, how one knows that it answers, and what its address is."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from labs.machine import COMPOSE, EMBEDDED, LOCAL
from labs.services import answers, compose
from labs.services.programs.found import ALERTMANAGER, program
from labs.services.tiers import Kind, Spot, Tier

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else ten processes, some of which outlive a SIGTERM
    "OMP_NUM_THREADS": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "true",
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
}


def _address(**variables: str) -> Callable[[Spot], Mapping[str, str]]:
    return lambda spot: {key: text.format(port=spot.port, data=spot.data) for key, text in variables.items()}


def _aws(spot: Spot) -> Mapping[str, str]:
    keys: dict[str, str] = json.loads((spot.data / "credentials.json").read_text(encoding="utf-8"))
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{spot.port}",
        "AWS_DEFAULT_REGION": "ap-south-1",
        **keys,
    }


def _postgres(spot: Spot) -> Mapping[str, str]:
    password = (spot.data / "password").read_text(encoding="utf-8").strip()
    return {"DATABASE_URL": f"postgresql://nukkad:{password}@127.0.0.1:{spot.port}/postgres"}


def _own_cluster(spot: Spot) -> Mapping[str, str]:
    return {"KUBECONFIG": os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")}


@functools.cache
def cluster_answers() -> bool:
    """Whether the user's own kubeconfig leads to a cluster that answers within three seconds."""
    kubectl = program("kubectl")
    if (
        not kubectl
        or not Path(_own_cluster(Spot(0, Path()))["KUBECONFIG"].partition(os.pathsep)[0]).is_file()
    ):
        return False
    asked = [kubectl, "get", "--raw", "/readyz", "--request-timeout=3s"]
    try:
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=6, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _redis_with_password(spot: Spot) -> Mapping[str, str]:
    password = compose.secret("redis.conf").removeprefix("requirepass ")
    return {"REDIS_URL": f"redis://:{password}@127.0.0.1:{spot.port}/0"}


def _postgres_in_compose(spot: Spot) -> Mapping[str, str]:
    return {
        "DATABASE_URL": f"postgresql://nukkad:{compose.secret('postgres_nukkad')}@127.0.0.1:{spot.port}/postgres"
    }


def _container(
    port: int,
    answers: Callable[[Spot], bool],
    variables: Callable[[Spot], Mapping[str, str]],
    *services: str,
) -> Tier:
    """These services of docker-compose.yml."""
    return Tier(
        "",
        answers,
        variables,
        there=compose.there,
        begin=functools.partial(compose.up, *services),
        end=functools.partial(compose.down, *services),
        port=port,
        get_it=compose.GET_IT,
    )


def _debian(package: str) -> str:
    return f"install it: apt-get install {package} (or your system's own way)"


_MLFLOW = _address(MLFLOW_TRACKING_URI="http://127.0.0.1:{port}")
_PREFECT = _address(PREFECT_API_URL="http://127.0.0.1:{port}/api")
_REDIS = _address(REDIS_URL="redis://127.0.0.1:{port}/0")
_MLFLOW_ANSWERS = answers.post("/api/2.0/mlflow/experiments/search", b'{"max_results": 1}')
_POSTGRES = (("postgres",), ("initdb",))
_READY = answers.get("/-/ready")
_PROMETHEUS = _address(PROMETHEUS_URL="http://127.0.0.1:{port}")
_ALERTMANAGER = _address(ALERTMANAGER_URL="http://127.0.0.1:{port}")
_PREFECT_ANSWERS = answers.get("/api/ready")

_KINDS = (
    Kind(
        "mlflow",
        "MLflow tracking and registry",
        5001,
        {
            EMBEDDED: Tier("programs.mlflow_server", _MLFLOW_ANSWERS, _MLFLOW),
            LOCAL: Tier(
                "programs.mlflow_server",
                _MLFLOW_ANSWERS,
                _MLFLOW,
                needs=("postgres",),
                programs=_POSTGRES,
                get_it="have PostgreSQL",
            ),
            COMPOSE: _container(5001, _MLFLOW_ANSWERS, _MLFLOW, "mlflow"),
        },
    ),
    Kind(
        "prefect",
        "Prefect API",
        4200,
        {
            EMBEDDED: Tier("programs.prefect_api", _PREFECT_ANSWERS, _PREFECT, ready_seconds=120),
            LOCAL: Tier(
                "programs.prefect_api",
                _PREFECT_ANSWERS,
                _PREFECT,
                needs=("postgres",),
                programs=_POSTGRES,
                ready_seconds=180,
                get_it="have PostgreSQL",
            ),
            COMPOSE: _container(4200, _PREFECT_ANSWERS, _PREFECT, "prefect", "prefect-worker"),
        },
    ),
    Kind(
        "redis",
        "Redis",
        6379,
        {
            EMBEDDED: Tier("programs.redis_protocol", answers.redis, _REDIS, keeps=False),
            LOCAL: Tier(
                "programs.redis_server",
                answers.redis,
                _REDIS,
                takes_socket=False,
                programs=(("redis-server",),),
                get_it=_debian("redis-server"),
            ),
            COMPOSE: _container(6379, answers.redis, _redis_with_password, "redis"),
        },
    ),
    Kind(
        "aws",
        "the AWS API",
        4566,
        {EMBEDDED: Tier("programs.aws_api", answers.get("/labs/v1/ready"), _aws, keeps=False)},
    ),
    Kind(
        "kubernetes",
        "the Kubernetes API",
        6443,
        {
            EMBEDDED: Tier("kubernetes", answers.get("/readyz"), _address(KUBECONFIG="{data}/kubeconfig")),
            LOCAL: Tier(
                "",
                lambda spot: cluster_answers(),
                _own_cluster,
                programs=(("kubectl",),),
                there=cluster_answers,
                get_it="have kubectl and a kubeconfig whose current context answers (kind create cluster, say)",
            ),
        },
    ),
    Kind(
        "postgres",
        "a database",
        5432,
        {
            EMBEDDED: Tier(
                "", lambda spot: spot.data.is_dir(), _address(DATABASE_URL="sqlite:///{data}/database.db")
            ),
            LOCAL: Tier(
                "programs.postgres",
                answers.postgres,
                _postgres,
                takes_socket=False,
                programs=_POSTGRES,
                ends_with=signal.SIGINT,
                get_it=_debian("postgresql"),
            ),
            COMPOSE: _container(5432, answers.postgres, _postgres_in_compose, "postgres"),
        },
    ),
    Kind(
        "prometheus",
        "Prometheus",
        9090,
        {
            LOCAL: Tier(
                "programs.prometheus",
                _READY,
                _PROMETHEUS,
                takes_socket=False,
                programs=(("prometheus",), ("promtool",)),
                get_it=_debian("prometheus"),
            ),
            COMPOSE: _container(9090, _READY, _PROMETHEUS, "prometheus"),
        },
        without="Labs read /metrics by themselves (labs.services.scrape); PromQL and rules need the real one.",
    ),
    Kind(
        "alertmanager",
        "Alertmanager",
        9093,
        {
            LOCAL: Tier(
                "programs.alertmanager",
                _READY,
                _ALERTMANAGER,
                takes_socket=False,
                programs=(ALERTMANAGER,),
                get_it=_debian("prometheus-alertmanager"),
            ),
            COMPOSE: _container(9093, _READY, _ALERTMANAGER, "alertmanager"),
        },
        without="Who is told is decided by the real Alertmanager alone.",
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
