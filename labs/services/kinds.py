"""The services there are: for each tier how it is started, how one knows that it answers, and what its address is."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labs.machine import EMBEDDED, LOCAL
from labs.services import answers
from labs.services.programs.found import ALERTMANAGER, program

TIERS = (EMBEDDED, LOCAL)
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


@dataclass(frozen=True)
class Spot:
    """Where one service is: its port on 127.0.0.1 and its data folder."""

    port: int
    data: Path


@dataclass(frozen=True)
class Tier:
    """One way to have a service.

    Args:
        module: what is run, of labs.services; "" when nothing is: it is a file, or it runs already.
        answers: whether it does its work now.
        variables: what a client needs to find it.
        takes_socket: it serves on a listening socket that it is given; otherwise it binds the port by itself.
        programs: what must be on this machine, each by any of its names; () for what our own environment has.
        there: whether what runs already can be reached.
        needs: services of the same tier which it stands on; the first one's address is its LABS_DATABASE_URL.
        ends_with: the signal that ends it in good order.
        ready_seconds: how long a slow machine may need.
        keeps: whether its data outlives it.
        get_it: how to have it on this machine.
    """

    module: str
    answers: Callable[[Spot], bool]
    variables: Callable[[Spot], Mapping[str, str]]
    takes_socket: bool = True
    programs: tuple[tuple[str, ...], ...] = ()
    there: Callable[[], bool] = lambda: True
    needs: tuple[str, ...] = ()
    ends_with: int = signal.SIGTERM
    ready_seconds: float = 60.0
    keeps: bool = True
    get_it: str = ""

    @property
    def here(self) -> bool:
        """Whether this machine has it."""
        programs = all(any(map(program, names)) for names in self.programs)
        return programs and all(KINDS[name].tiers[LOCAL].here for name in self.needs) and self.there()


@dataclass(frozen=True)
class Kind:
    """A service. `port` is where it usually is."""

    name: str
    title: str
    port: int
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    without: str = ""

    def best(self, wish: str) -> str:
        """The tier to start when `wish` is wished for; "" if this machine can start none.

        "local" takes the real thing where it is found and the embedded one elsewhere; "embedded" means just that.
        """
        order = (LOCAL, EMBEDDED) if wish == LOCAL or EMBEDDED not in self.tiers else (EMBEDDED,)
        return next((tier for tier in order if tier in self.tiers and self.tiers[tier].here), "")


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


def _debian(package: str) -> str:
    return f"install it: apt-get install {package} (or your system's own way)"


_MLFLOW = _address(MLFLOW_TRACKING_URI="http://127.0.0.1:{port}")
_PREFECT = _address(PREFECT_API_URL="http://127.0.0.1:{port}/api")
_REDIS = _address(REDIS_URL="redis://127.0.0.1:{port}/0")
_MLFLOW_ANSWERS = answers.post("/api/2.0/mlflow/experiments/search", b'{"max_results": 1}')
_POSTGRES = (("postgres",), ("initdb",))

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
                get_it="have PostgreSQL",
            ),
        },
    ),
    Kind(
        "prefect",
        "Prefect API",
        4200,
        {
            EMBEDDED: Tier("programs.prefect_api", answers.get("/api/ready"), _PREFECT, ready_seconds=120),
            LOCAL: Tier(
                "programs.prefect_api",
                answers.get("/api/ready"),
                _PREFECT,
                needs=("postgres",),
                ready_seconds=180,
                get_it="have PostgreSQL",
            ),
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
        },
    ),
    Kind(
        "aws",
        "the AWS API",
        4566,
        {EMBEDDED: Tier("programs.aws_api", answers.get("/moto-api/data.json"), _aws, keeps=False)},
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
        },
    ),
    Kind(
        "prometheus",
        "Prometheus",
        9090,
        {
            LOCAL: Tier(
                "programs.prometheus",
                answers.get("/-/ready"),
                _address(PROMETHEUS_URL="http://127.0.0.1:{port}"),
                takes_socket=False,
                programs=(("prometheus",), ("promtool",)),
                get_it=_debian("prometheus"),
            )
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
                answers.get("/-/ready"),
                _address(ALERTMANAGER_URL="http://127.0.0.1:{port}"),
                takes_socket=False,
                programs=(ALERTMANAGER,),
                get_it=_debian("prometheus-alertmanager"),
            )
        },
        without="Who is told is decided by the real Alertmanager alone.",
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
