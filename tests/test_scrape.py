"""Scraping and quantiles, against the client library that writes and the Prometheus that reads."""

from __future__ import annotations

import json
import math
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from labs.errors import LabsError
from labs.services import KINDS, Supervisor
from labs.services.scrape import Histogram as Buckets
from labs.services.scrape import scrape

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


def text(*seconds: float, route: str = "/predict") -> str:
    registry = CollectorRegistry()
    served = Counter("requests", "Requests.", ["status"], registry=registry)
    took = Histogram("request_seconds", "Seconds.", ["route"], buckets=BOUNDS, registry=registry)
    for value in seconds:
        served.labels("200").inc()
        took.labels(route).observe(value)
    return generate_latest(registry).decode()


def test_what_a_client_library_writes_is_read() -> None:
    metrics = scrape(text(0.004, 0.02, 0.03))
    assert metrics.total("requests_total", status="200") == 3
    assert metrics.total("requests_total", status="500") == 0
    assert metrics.kinds["request_seconds"] == "histogram"
    assert metrics.histogram("request_seconds").count == 3
    assert metrics.histogram("request_seconds", route="/other").count == 0


@pytest.mark.parametrize(
    ("counts", "q", "wanted"),
    [
        ((10, 10, 10), 0.5, 0.5),  # in the lowest bucket: from zero
        ((0, 10, 10), 0.5, 1.5),
        ((0, 0, 10), 0.5, 2.0),  # above the highest finite bound: that bound
        ((5, 10, 10), 1.0, 2.0),
        ((5, 10, 10), 0.0, 0.0),
        ((0, 0, 0), 0.5, math.nan),
    ],
)
def test_quantiles_are_those_of_the_documentation(counts: tuple[int, ...], q: float, wanted: float) -> None:
    found = Buckets((1.0, 2.0, math.inf), tuple(map(float, counts))).quantile(q)
    assert found == wanted or (math.isnan(found) and math.isnan(wanted))


def test_a_negative_lowest_bound_is_the_answer_itself() -> None:
    assert Buckets((-1.0, 1.0, math.inf), (4.0, 4.0, 4.0)).quantile(0.5) == -1.0


def test_what_came_between_two_scrapes() -> None:
    before = scrape(text(0.004)).histogram("request_seconds")
    after = scrape(text(0.004, 0.2, 0.2)).histogram("request_seconds")
    assert after.since(before).count == 2
    assert after.since(before).around(0.5) == (0.1, 0.25)
    assert before.since(after).count == 1, "a counter that went down was started anew"
    with pytest.raises(ValueError, match="buckets differ"):
        after.since(Buckets((1.0, math.inf), (0.0, 0.0)))


@pytest.mark.parametrize("damaged", ["requests_total{status=200} 1", "requests_total one", "{}"])
def test_what_is_no_metric_is_said(damaged: str) -> None:
    with pytest.raises(LabsError, match="text format"):
        scrape(damaged + "\n")


def test_a_real_prometheus_says_the_same(tmp_path: Path) -> None:
    if not KINDS["prometheus"].tiers["local"].here and not os.environ.get("LABS_TEST_REAL"):
        pytest.skip("no Prometheus on this machine")
    body = text(*(0.001 * n for n in range(1, 400, 3)))

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    Thread(target=server.serve_forever, daemon=True).start()
    services = Supervisor(tmp_path, usual_ports=False)
    try:
        data = services.home("prometheus").data
        (data / "targets").mkdir(parents=True)
        target = [{"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"job": "fraud"}}]
        (data / "targets" / "fraud.json").write_text(json.dumps(target))
        url = services.up("prometheus", "local").variables["PROMETHEUS_URL"]
        for q in (0.0, 0.1, 0.5, 0.95, 0.99):
            theirs = asked(url, f"histogram_quantile({q}, request_seconds_bucket)")
            assert theirs == pytest.approx(scrape(body).histogram("request_seconds").quantile(q))
    finally:
        services.down("prometheus")
        server.shutdown()


def asked(url: str, query: str) -> float:
    """The first value, once Prometheus has scraped."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        result = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()["data"]["result"]
        if result:
            return float(result[0]["value"][1])
        time.sleep(0.25)
    raise AssertionError("Prometheus did not scrape within a minute")
