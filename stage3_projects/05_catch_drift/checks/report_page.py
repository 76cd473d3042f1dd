"""Reads a report as a browser without a network would: what would it have to fetch?"""

from __future__ import annotations

import html
import re
import tempfile
from functools import lru_cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd

SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
SERIES = re.compile(r"\[([^\[\]\"{}<>]*,[^\[\]\"{}<>]*)\]|\"bdata\":\s*\"([^\"]+)\"")
FETCHED = {"script": "src", "img": "src", "iframe": "src", "embed": "src", "source": "src"}
FETCHED |= {"link": "href", "object": "data"}
REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
REMOTE_STYLE = re.compile(r"(?:@import\s+|url\(\s*)[\"']?(?:https?:)?//[^\"')\s]+", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.remote: list[str] = []
        self.tags: set[str] = set()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._in_style = tag == "style"
        address = dict(attrs).get(FETCHED.get(tag, ""))
        if address and REMOTE.match(address):
            self.remote.append(f"<{tag}> {address.strip()}")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.remote += [f"<style> {match[0]}" for match in REMOTE_STYLE.finditer(data)]


def remote_addresses(page: str) -> list[str]:
    """What the page loads from elsewhere: scripts, styles, images, frames. Links that a reader may click are fine."""
    parser = _Page()
    parser.feed(page)
    return parser.remote


def is_html(page: str) -> bool:
    parser = _Page()
    parser.feed(page)
    return bool(parser.tags & {"html", "body"})


@lru_cache(maxsize=1)
def _viewer() -> str:
    """What the installed Evidently puts into every page, whatever it reports: the program that draws it."""
    from evidently import Report
    from evidently.metrics import RowCount

    with tempfile.NamedTemporaryFile("r", suffix=".html", encoding="utf-8") as file:
        Report([RowCount()]).run(pd.DataFrame({"amount_paise": [100.0, 200.0]}), None).save_html(file.name)
        return max(SCRIPT.findall(file.read()), key=len).strip()


def is_evidently(page: str) -> bool:
    """Whether the page holds Evidently's viewer, in itself or in a frame of its own."""
    return _viewer() in _unframed(page)


def series(page: str) -> set[str]:
    """The series of three or more numbers that the page draws, as they are written there."""
    found = SERIES.finditer(_unframed(page).replace(_viewer(), ""))
    return {match[1] or match[2] for match in found if match[2] or match[1].count(",") > 1}


def days_in_three_versions(rng: np.random.Generator, own: str) -> tuple[list[pd.DataFrame], dict[str, tuple]]:
    """One day in three versions; and for each column, the two versions in which it is the same and the third one.

    What a page shows of a column is on the pages of the first two, and not on the third.
    """
    first, other = (sample(rng, own).drop(columns="distance_km") for _ in range(2))
    other["amount_paise"] //= 100
    days = [
        first,
        first.assign(**other[["amount_paise", "channel"]]),
        first.assign(**other[["channel", own]]),
    ]
    return days, {"amount_paise": (0, 2, 1), "channel": (1, 2, 0), own: (0, 1, 2)}


def _unframed(page: str) -> str:
    return html.unescape(page) if "srcdoc=" in page else page


def sample(rng: np.random.Generator, own: str, rows: int = 4_000) -> pd.DataFrame:
    """A day's features: an amount, a channel, a distance and a column with the name `own`."""
    return pd.DataFrame({
        "amount_paise": np.exp(rng.normal(10, 1.2, rows)).astype(np.int64),
        "channel": rng.choice(["qr", "intent", "collect"], rows, p=[0.5, 0.4, 0.1]),
        "distance_km": np.exp(rng.normal(1, 1.0, rows)),
        own: rng.gamma(2, 50, rows),
    })  # fmt: skip
