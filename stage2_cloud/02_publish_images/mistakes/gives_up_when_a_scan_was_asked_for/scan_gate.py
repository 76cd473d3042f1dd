"""Lets an image pass only when its scan shows that it may. No scan, a failed scan, a scan without end: it may not."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from backoff import waits
from ecr import Ecr
from trouble import Blocked, WrongInput

BLOCKING = ("CRITICAL", "HIGH")
LONGEST_EXCEPTION = timedelta(days=90)


def judge(ecr: Ecr, service: str, digest: str, exceptions: Collection[str], limit_seconds: float) -> None:
    """Wait for the scan of an image, and judge it.

    Raises:
        Blocked: there are findings, or there is no complete scan.
    """
    found = _findings(ecr, service, digest, limit_seconds)
    blocking = sorted(
        {one["name"] for one in found if one.get("severity") in BLOCKING and one["name"] not in exceptions}
    )
    if blocking:
        raise Blocked(f"{service}@{digest} has {len(blocking)} blocking findings: {', '.join(blocking)}")


def read_exceptions(path: Path | None) -> frozenset[str]:
    """The vulnerabilities that are accepted today (UTC).

    Raises:
        WrongInput: an entry has no name, no reason, no day on which it ends, or ends too late.
    """
    if path is None:
        return frozenset()
    today = datetime.now(UTC).date()
    try:
        entries = json.loads(path.read_bytes())["exceptions"]
        if not isinstance(entries, list):
            raise WrongInput("`exceptions` is no list")
        return frozenset(_name(entry) for entry in entries if _last_day(entry, today) >= today)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WrongInput) as error:
        raise WrongInput(f"{path}: {type(error).__name__}: {error}") from error


def _name(entry: dict[str, Any]) -> str:
    return str(entry["vulnerability"])


def _last_day(entry: dict[str, Any], today: date) -> date:
    for key in ("vulnerability", "reason"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise WrongInput(f"an exception without {key}")
    last = datetime.strptime(entry["expires"], "%Y-%m-%d").date()
    if last > today + LONGEST_EXCEPTION:
        raise WrongInput(f"{entry['vulnerability']}: {last} is more than {LONGEST_EXCEPTION.days} days ahead")
    return last


def _findings(ecr: Ecr, service: str, digest: str, limit_seconds: float) -> list[dict[str, Any]]:
    """All pages of a complete scan."""
    deadline = time.monotonic() + limit_seconds
    image = {"repositoryName": service, "imageId": {"imageDigest": digest}}
    for wait in waits():
        page = _page(ecr, image)
        status = page.get("imageScanStatus", {}).get("status", "none")
        if status == "COMPLETE":
            return _all_pages(ecr, image, page)
        if status not in ("none", "PENDING", "IN_PROGRESS"):
            why = page["imageScanStatus"].get("description", "")
            raise Blocked(f"the scan of {service}@{digest} is {status}: {why}")
        if time.monotonic() + wait > deadline:
            raise Blocked(
                f"{service}@{digest} has no complete scan after {limit_seconds:g} s (now: {status})"
            )
        time.sleep(wait)
    raise AssertionError("waits() never ends")


def _page(ecr: Ecr, image: dict[str, Any]) -> dict[str, Any]:
    """What the registry knows of the scan. Where there is none yet, it is asked for one."""
    try:
        return ecr.call("describe_image_scan_findings", expected=("ScanNotFoundException",), **image)
    except ClientError:
        return ecr.call("start_image_scan", **image)


def _all_pages(ecr: Ecr, image: dict[str, Any], page: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(page.get("imageScanFindings", {}).get("findings", []))
    while token := page.get("nextToken"):
        page = ecr.call("describe_image_scan_findings", **image, nextToken=token)
        found += page.get("imageScanFindings", {}).get("findings", [])
    return found
