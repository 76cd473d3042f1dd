"""What a right report holds, worked out from the requests themselves; and where a report differs from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from log_maker import Request

TOLERANCE = {"_ms": 0.0006, "_rate": 1e-6}  # rounding to three or to six digits is right as well


def nearest_rank(latencies_us: list[int], percent: int) -> float:
    """The smallest latency, in milliseconds, that at least `percent` per cent do not exceed."""
    rank = -(-percent * len(latencies_us) // 100)
    return sorted(latencies_us)[rank - 1] / 1000


def of_models(requests: Iterable[Request]) -> dict[str, dict[str, Any]]:
    """The `models` part of the report over these requests, each of which is counted."""
    by_model: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        by_model[request.model].append(request)
    return {model: _of_one(each) for model, each in sorted(by_model.items())}


def _of_one(requests: list[Request]) -> dict[str, Any]:
    by_endpoint: dict[str, list[int]] = defaultdict(list)
    for request in requests:
        by_endpoint[request.endpoint].append(request.latency_us)
    ranking = [
        {"endpoint": name, "requests": len(each), "p95_ms": nearest_rank(each, 95)}
        for name, each in by_endpoint.items()
    ]
    everything = [request.latency_us for request in requests]
    errors = sum(request.is_error for request in requests)
    return {
        "requests": len(requests),
        "errors": errors,
        "error_rate": errors / len(requests),
        **{f"p{percent}_ms": nearest_rank(everything, percent) for percent in (50, 95, 99)},
        "slowest_endpoints": sorted(ranking, key=lambda row: (-row["p95_ms"], row["endpoint"]))[:3],
    }


def first_difference(got: Any, wanted: Any, at: str = "") -> tuple[str, str] | None:
    """(wanted, got) in words, where the two first differ; None if they agree. More keys than wanted are fine."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"`{at}`, an object" if at else "a JSON object", _short(got)
        if missing := [key for key in wanted if key not in got]:
            return f"`{_join(at, missing[0])}` = {_short(wanted[missing[0]])}", "no such key"
        pairs = [(got[key], wanted[key], _join(at, key)) for key in wanted]
    elif isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"`{at}` = {_short(wanted)}", _short(got)
        pairs = [(g, w, f"{at}[{i}]") for i, (g, w) in enumerate(zip(got, wanted, strict=True))]
    else:
        return None if _equal(got, wanted, at) else (f"`{at}` = {_short(wanted)}", _short(got))
    return next((found for pair in pairs if (found := first_difference(*pair))), None)


def _equal(got: Any, wanted: Any, at: str) -> bool:
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        return bool(got == wanted)
    if isinstance(got, bool) or not isinstance(got, int | float) or not -1e15 < got < 1e15:
        return False
    slack = next((slack for end, slack in TOLERANCE.items() if at.endswith(end)), 0)
    return abs(got - wanted) <= slack


def _join(at: str, key: str) -> str:
    if not key.isidentifier():
        return f'{at}["{key}"]'
    return f"{at}.{key}" if at else key


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
