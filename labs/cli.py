"""The command `labs`: one call in, an exit status out. Every way to end it is handled here."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from labs.errors import LabsError

OUR_FAULT = 4
STOPPED = 130


def main() -> int:
    """The exit status: 0 well, 1 failed or not started, 2 bad input, 3 unchecked, 4 our fault, 130 Ctrl-C."""
    signal.signal(signal.SIGINT, _stop_once)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # an old locale gets "?" and no crash
    try:
        from labs import (
            author_commands,
            cohort_commands,
            commands,
            service_commands,
        )  # in here, so that Ctrl-C during the import is Ctrl-C as well

        service_commands.add_to(commands.app)
        cohort_commands.add_to(commands.app)
        author_commands.add_to(commands.app)
        commands.app(prog_name="labs")
    except SystemExit as leaving:
        # Typer makes an exit of Ctrl-C; a command that said "stopped" itself exits with 130 without that.
        if isinstance(getattr(leaving.__context__, "__cause__", None), KeyboardInterrupt):
            return _stopped()
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except KeyboardInterrupt:
        return _stopped()
    except LabsError as error:
        _say(f"✗ {error}")
        return error.exit_code
    except Exception:  # the last resort: say sorry, show all, lose nothing
        _apologise()
        return OUR_FAULT
    return 0


def _stop_once(number: int, frame: FrameType | None) -> None:
    """The first Ctrl-C stops the work; while processes are ended a second only says so, a third leaves."""

    def still_ending(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _say("Ending what still runs. Ctrl-C again leaves at once.")

    signal.signal(signal.SIGINT, still_ending)
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    """A closed terminal or `kill` unwinds as well, so that nothing outlives us."""
    raise SystemExit(128 + number)


def _stopped() -> int:
    after_the_echo = "\n" if sys.stderr.isatty() else ""  # a terminal has just printed ^C
    _say(f"{after_the_echo}Stopped. Your files are as you left them.")
    return STOPPED


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _apologise() -> None:
    import traceback

    _say(f"! Sorry: this is our fault, not yours. It broke while running: labs {' '.join(sys.argv[1:])}\n")
    traceback.print_exc()
    _say(
        "\n  Your files are as you left them."
        "\n  next  Report it: copy all of this, and what `labs doctor` prints, into an issue."
    )
