"""Logs for machines: one JSON object a line on standard error, with the run that it belongs to."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger("nukkad.fraud")

FAILED = 1


class JsonLines(logging.Formatter):
    """`ts` (UTC), `level`, `event`, `run_id`, and whatever was passed as `extra={"fields": {…}}`."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "event": record.getMessage(),
            "run_id": self.run_id,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class Stopped(Exception):
    """The command cannot go on, for a reason that its caller can mend. Becomes an ERROR line and exit `status`."""

    def __init__(self, event: str, status: int = FAILED, **fields: object) -> None:
        super().__init__(event)
        self.status, self.fields = status, fields


def run_logged(command: str, work: Callable[[], int]) -> int:
    """Do the work between a `started` and a `finished` line. Returns the exit status, also when the work breaks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(run_id=uuid.uuid4().hex))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)  # what libraries warn of becomes a line like any other
    note("started", command=command)
    try:
        status = work()
    except Stopped as stop:
        complain(str(stop), **stop.fields)
        status = stop.status
    except Exception:
        log.exception("crashed")
        status = FAILED
    note("finished", command=command, status=status)
    return status


def note(event: str, **fields: object) -> None:
    log.info("%s", event, extra={"fields": fields})


def warn(event: str, **fields: object) -> None:
    log.warning("%s", event, extra={"fields": fields})


def complain(event: str, **fields: object) -> None:
    """For whatever ends the run with a status that somebody must look at."""
    log.error("%s", event, extra={"fields": fields})
