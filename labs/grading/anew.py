"""What libraries read from the environment when they were imported, read once more.

A fork of the warm parent gets another environment than the one in which its libraries were imported. Most look when
they are used; these look once.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time


def read_the_environment() -> None:
    tempfile.tempdir = None  # some library asked where temporary files go, and the answer is kept
    time.tzset()
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context

        with contextlib.suppress(
            Exception
        ):  # settings that nobody can read: whoever uses Prefect will hear of it
            refresh_global_settings_context()
