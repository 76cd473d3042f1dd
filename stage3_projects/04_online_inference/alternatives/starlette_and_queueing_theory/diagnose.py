"""A table of symptoms, compared with the hour before."""

import numpy as np


def runs(bad, length=4):
    """Where `length` bad minutes in a row begin for the first time; None if nowhere."""
    windows = np.lib.stride_tricks.sliding_window_view(bad, length).all(axis=1)
    return int(windows.argmax()) if windows.any() else None


def calm(values):
    """Each minute's mean over three, gaps left out."""
    padded = np.pad(np.asarray(values, dtype=float), 1, mode="edge")
    stacked = np.lib.stride_tricks.sliding_window_view(padded, 3)
    known = np.isfinite(stacked)
    total = np.where(known, stacked, 0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(len(total), np.nan), where=known.any(axis=1))


def diagnose(telemetry):
    hits = calm(telemetry["cache_hit_ratio"])
    failed = calm(telemetry["errors"]) / np.maximum(calm(telemetry["requests"]), 1)
    p95 = calm(telemetry["p95_ms"])
    version = telemetry["model_version"].astype(str).to_numpy()
    with np.errstate(invalid="ignore"):
        begin = runs(np.nan_to_num(hits < 0.86) | np.nan_to_num(p95 > 42) | np.nan_to_num(failed > 0.01))
    if begin is None:
        return {"cause": None, "minute": None}
    near = slice(begin + 1, begin + 12)
    if np.nanmedian(hits[near]) < 0.87:
        cause = "cold_cache" if np.nanmedian(hits[near]) < 0.6 else "slow_dependency"
    elif version[max(begin - 8, 0)] != version[min(begin + 8, len(version) - 1)]:
        cause = "bad_deploy"
    else:
        cause = "traffic_spike"
    return {"cause": cause, "minute": telemetry["minute"].iloc[begin].isoformat()}
