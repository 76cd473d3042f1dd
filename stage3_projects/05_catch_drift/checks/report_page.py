"""Reads a report as a browser without a network would: what would it have to fetch?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd

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


def sample(rng: np.random.Generator, own: str, rows: int = 4_000) -> pd.DataFrame:
    """A day's features: an amount, a channel, a distance and a column with the name `own`."""
    return pd.DataFrame({
        "amount_paise": np.exp(rng.normal(10, 1.2, rows)).astype(np.int64),
        "channel": rng.choice(["qr", "intent", "collect"], rows, p=[0.5, 0.4, 0.1]),
        "distance_km": np.exp(rng.normal(1, 1.0, rows)),
        own: rng.gamma(2, 50, rows),
    })  # fmt: skip
