"""Dashboards, rules and the reference service agree: every panel's query gives data of what is really measured."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from labs.services import KINDS, Supervisor

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
PATHS = sorted((INFRA / "grafana/dashboards").glob("*.json"))
RULES = sorted((INFRA / "prometheus/rules").glob("*.yml"))
WAIT_SECONDS = 30
ROUTE = "/predict"
# What Grafana puts in for its variables, made small: the traffic of a test lasts seconds.
VARIABLES = {"$__rate_interval": "20s", "$__range": "60s", "$__interval": "5s"}


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """(panel, PromQL) of every target, with Grafana's variables filled in."""
    found = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            found.append((f"{dashboard['title']}: {panel['title']}", query))
    return found


def alerts() -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return [
        rule for one in documents for group in one["groups"] for rule in group["rules"] if "alert" in rule
    ]


def recorded() -> set[str]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return {
        rule["record"]
        for one in documents
        for group in one["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def needed(name: str) -> str:
    """The path of a real program; skips without it, unless this machine promises to have it."""
    found = shutil.which(name)
    if not found and not os.environ.get("LABS_TEST_REAL"):
        pytest.skip(f"no {name} on this machine")
    assert found, f"{name} is missing"
    return found


# Form


def test_there_are_the_four_dashboards() -> None:
    assert [path.stem for path in PATHS] == ["cost", "feature_freshness", "golden_signals", "model_quality"]
    uids = [load(path)["uid"] for path in PATHS]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_provisioned(path: Path) -> None:
    dashboard = load(path)
    sources = yaml.safe_load((INFRA / "grafana/provisioning/datasources/datasources.yml").read_text())
    known = {one["uid"] for one in sources["datasources"]}
    assert dashboard["uid"] and dashboard["title"] and "id" not in dashboard
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["description"], f"panel {panel['id']} does not say what it is for"
        assert panel["targets"], panel["title"]
        assert {one["datasource"]["uid"] for one in (panel, *panel["targets"])} <= known
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, f"{panel['title']} lies on another panel"
        taken |= cells


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"] and alert["annotations"]["next"]


def test_every_alert_is_tested_or_is_the_slow_twin_of_one_that_is() -> None:
    tested = "".join(path.read_text() for path in (INFRA / "prometheus/tests").glob("*.yml"))
    untested = [one["alert"] for one in alerts() if f"alertname: {one['alert']}" not in tested]
    assert untested == ["LatencyBudgetBurnsSlowly"]


def test_promtool_accepts_configuration_and_rules() -> None:
    promtool = needed("promtool")
    for words in (
        ("check", "config", str(INFRA / "prometheus/prometheus.yml")),
        ("check", "rules", *map(str, RULES)),
        ("test", "rules", *map(str, (INFRA / "prometheus/tests").glob("*.yml"))),
    ):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_wakes_the_right_one() -> None:
    amtool, settings = needed("amtool"), str(INFRA / "alertmanager/alertmanager.yml")
    done = subprocess.run([amtool, "check-config", settings], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    for severity, receiver in (("page", "on-call"), ("ticket", "tickets")):
        command = [amtool, "config", "routes", "test", f"--config.file={settings}", f"severity={severity}"]
        assert subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip() == receiver


# The reference service


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(INFRA))


def talk(app: Any, conversation: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://fraud") as client:
            await conversation(client)

    asyncio.run(run())


def payment(**changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": 1,
        "amount_paise": 50_000,
        "channel": "qr",
        "merchant_category": "food",
        "hour_ist": 12,
        "payer_account_age_days": 400.0,
        "payer_txn_count_24h": 3,
        "payer_mean_amount_30d_paise": 20_000.0,
        "payer_merchant_is_new": False,
        "device_age_days": 100.0,
        "distance_km": 2.0,
        **changes,
    }


@pytest.mark.usefixtures("reference")
def test_the_service_counts_what_it_does() -> None:
    from reference_service.app import create_app
    from reference_service.settings import Settings

    from labs.services.scrape import scrape

    now = 1_000_000.0
    app = create_app(Settings(), now=lambda: now)

    async def conversation(client: httpx.AsyncClient) -> None:
        nonlocal now
        ages = {"payer_activity": now - 240, "payer_profile": now - 3600}
        safe = await client.post(ROUTE, json=payment(feature_times=ages))
        assert safe.json()["decision"] == "allow" and safe.json()["model_version"] == "fraud-3"
        risky = payment(
            transaction_id=2, channel="collect", merchant_category="gaming", hour_ist=2, amount_paise=900_000,
            payer_merchant_is_new=True, device_age_days=0.5, distance_km=None,
        )  # fmt: skip
        assert (await client.post(ROUTE, json=risky)).json()["decision"] == "block"
        assert (await client.post(ROUTE, json=payment(channel="upi_collect"))).status_code == 200
        refused = await client.post(ROUTE, json=payment(amount_paise=-77_777))
        assert refused.status_code == 422 and "77777" not in refused.text.replace("-", "").replace("_", "")
        now += 3600
        labels = {
            "labels": [{"transaction_id": 2, "is_fraud": True}, {"transaction_id": 99, "is_fraud": False}]
        }
        assert (await client.post("/labels", json=labels)).json() == {"matched": 1, "unmatched": 1}
        assert (await client.post("/labels", json=labels)).json() == {"matched": 0, "unmatched": 2}
        await client.get("/a-scan-of-many-paths")
        metrics = scrape((await client.get("/metrics")).text)
        assert metrics.total("http_requests_total", route=ROUTE, status="200") == 3
        assert metrics.total("http_requests_total", route=ROUTE, status="422") == 1
        assert {one.labels["route"] for one in metrics.find("http_requests_total")} == {
            ROUTE,
            "/labels",
            "unmatched",
        }
        assert 0.05 in metrics.histogram("http_request_duration_seconds", route=ROUTE).bounds
        assert metrics.total("fraud_decisions_total", decision="block") == 1
        assert metrics.total("fraud_labels_total", decision="block", is_fraud="true") == 1
        assert metrics.total("fraud_labels_total") == 1, "a label counts once"
        assert metrics.total("fraud_settled_rupees_total", decision="block", is_fraud="true") == 9000.0
        assert metrics.total("fraud_feature_problems_total", feature="distance_km") == 1
        assert metrics.total("fraud_feature_problems_total", feature="channel", problem="unknown") == 1
        assert metrics.total("fraud_feature_freshness_seconds", feature_view="payer_activity") == 3840.0
        assert metrics.histogram("fraud_feature_age_seconds", feature_view="payer_activity").around(0.5) == (
            120,
            300,
        )
        spent = metrics.total("fraud_serving_cost_rupees_total", component="replica")
        assert spent == pytest.approx(Settings().replica_rupees_per_hour)

    talk(app, conversation)


@pytest.mark.usefixtures("reference")
def test_the_service_sheds_what_is_too_much_and_counts_it() -> None:
    from fastapi import FastAPI
    from reference_service.metrics import Metrics
    from reference_service.middleware import Observed
    from reference_service.settings import Settings

    from labs.services.scrape import scrape

    metrics, gate, app = Metrics(Settings(most_in_flight=2)), asyncio.Event(), FastAPI()

    @app.post(ROUTE)
    async def predict() -> str:
        await gate.wait()
        return "done"

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    observed = Observed(app, metrics, 2)

    async def conversation(client: httpx.AsyncClient) -> None:
        held = [asyncio.create_task(client.post(ROUTE)) for _ in range(2)]
        while observed.in_flight < 2:
            await asyncio.sleep(0)
        assert (await client.post(ROUTE)).status_code == 503
        assert (await client.get("/healthz")).status_code == 200, "a probe is answered also then"
        gate.set()
        assert [(await one).status_code for one in held] == [200, 200]
        assert (await client.post(ROUTE)).status_code == 200, "and then it takes requests again"

    talk(observed, conversation)
    from prometheus_client import generate_latest

    seen = scrape(generate_latest(metrics.registry).decode())
    assert seen.total("http_requests_total", route=ROUTE, status="503") == 1
    assert seen.total("http_requests_in_flight") == 0


@pytest.mark.usefixtures("reference")
def test_queries_and_rules_name_only_what_is_measured() -> None:
    """No Prometheus is needed to find a metric that was renamed in one place."""
    from prometheus_client import generate_latest
    from reference_service.metrics import FEATURE_VIEWS, Metrics
    from reference_service.settings import Settings

    from labs.services.scrape import scrape

    metrics = Metrics(Settings())
    for view in FEATURE_VIEWS:
        metrics.looked_up(view, time.time())
    metrics.duration.labels("POST", ROUTE).observe(0.01)
    metrics.score.labels("fraud-3").observe(0.01)
    known = {one.name for one in scrape(generate_latest(metrics.registry).decode()).samples} | recorded()
    asked = [query for path in PATHS for _, query in queries(load(path))] + [one["expr"] for one in alerts()]
    names = {
        name for query in asked for name in re.findall(r"\b(?:fraud|http|process|job)_?[a-z0-9_:]{4,}", query)
    }
    names -= {"fraud_model_info"} if "fraud_model_info" in known else set()
    missing = sorted(name for name in names if name not in known and not name.startswith("job_name"))
    assert names and not missing, missing


# With a real Prometheus


@contextmanager
def serving() -> Iterator[int]:
    """The reference service as a process; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(INFRA),
            "--fd",
            str(number),
            "--no-access-log",
        ]
        process = subprocess.Popen(
            [*command, "--factory", "reference_service.app:create_app"], cwd=ROOT, pass_fds=[number],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def traffic(port: int) -> Iterator[None]:
    """The world's payments, a hundred a second on the mean day, with labels that come almost at once."""
    command = [sys.executable, "-m", "reference_service.traffic", "--url", f"http://127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--rate", "300", "--label-speed", "2000000"], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(INFRA), str(ROOT)])}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(port: int) -> dict[str, Any]:
    """infra/prometheus/prometheus.yml, as it is but for the fraud service's address and a faster clock."""
    found: dict[str, Any] = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    found["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    found["rule_files"] = [str(path) for path in RULES]
    del found["alerting"]
    found["scrape_configs"] = [one for one in found["scrape_configs"] if one["job_name"] == "fraud"]
    found["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    return found


def ask(prometheus: httpx.Client, query: str) -> tuple[str, bool]:
    """(what Prometheus objects to, whether it answered with a number)."""
    reply = prometheus.get("/api/v1/query", params={"query": query}).json()
    if reply["status"] != "success":
        return reply.get("error", "an error"), False
    values = [float(one["value"][1]) for one in reply["data"]["result"]]
    return "", any(map(math.isfinite, values))


def test_every_panel_shows_data_of_the_real_service(tmp_path: Path) -> None:
    if not KINDS["prometheus"].tiers["local"].here and not os.environ.get("LABS_TEST_REAL"):
        pytest.skip("no Prometheus on this machine")
    asked = [(panel, query) for path in PATHS for panel, query in queries(load(path))]
    over = Supervisor(tmp_path, usual_ports=False)
    with serving() as port:
        try:
            data = over.home("prometheus").data
            data.mkdir(parents=True)
            (data / "prometheus.yml").write_text(yaml.safe_dump(settings(port)))
            url = over.up("prometheus", "local").variables["PROMETHEUS_URL"]
            with traffic(port), httpx.Client(base_url=url, timeout=10) as prometheus:
                deadline = time.monotonic() + WAIT_SECONDS
                left = asked
                while left and time.monotonic() < deadline:
                    time.sleep(1)
                    answers = [(panel, query, *ask(prometheus, query)) for panel, query in left]
                    refused = [
                        f"{panel}\n  {query}\n  {error}" for panel, query, error, _ in answers if error
                    ]
                    assert not refused, "\n".join(refused)
                    left = [(panel, query) for panel, query, _, has_data in answers if not has_data]
                assert not left, "no data:\n" + "\n".join(f"{panel}\n  {query}" for panel, query in left)
                for path in PATHS:
                    for annotation in load(path)["annotations"]["list"]:
                        assert ask(prometheus, annotation["expr"])[0] == ""
                rules = prometheus.get("/api/v1/rules").json()["data"]["groups"]
                unwell = [one["name"] for group in rules for one in group["rules"] if one["health"] == "err"]
                assert rules and not unwell, unwell
        finally:
            over.down("prometheus")
