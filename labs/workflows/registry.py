"""Which commit an action's reference means, today. A tag or a branch can mean another one tomorrow.

The commits are those of the releases that the comments name; two public sources agreed on each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from labs.workflows.errors import Unsupported

COMMIT = re.compile(r"[0-9a-f]{40}")

# Oldest first. The older one of each runs on a Node.js of which GitHub has announced the end.
RELEASES: Mapping[str, Mapping[str, str]] = {
    "actions/checkout": {
        "v4.2.2": "11bd71901bbe5b1630ceea73d27597364c9af683",
        "v6.0.2": "de0fac2e4500dabe0009e67214ff5f5447ce83dd",
    },
    "actions/setup-python": {
        "v5.3.0": "0b93645e9fea7318ecaed2b359559ac225c90a2b",
        "v6.2.0": "a309ff8b426b58ec0e2a45f0f869d46889d02405",
    },
    "actions/cache": {
        "v4.2.0": "1bd1e32a3bdc45362d1e726936510720a7c30a57",
        "v5.0.5": "27d5ce7f107fe9357f9df03efb73ab90386fccae",
    },
    "actions/upload-artifact": {
        "v4.6.0": "65c4c4a1ddee5b72f698fdd19549f0f0fb45cf08",
        "v6.0.0": "b7c566a772e6b6bfb58ed0dc250532a479d7789f",
    },
    "actions/download-artifact": {
        "v4.1.8": "fa0a91b85d4f404e444e00e005971372dc801d16",
        "v7.0.0": "37930b1c2abaa49bbe596cd826c3c89aef350131",
    },
    "astral-sh/setup-uv": {
        "v5.3.1": "f94ec6bedd8674c4426838e6b50417d36b6ab231",
        "v7.1.6": "681c641aba71e4a1c380be3ab5e12ad51f415867",
    },
}


@dataclass(frozen=True)
class Registry:
    """Where references lead. `moved_to` is the commit to which somebody has moved every tag and branch."""

    releases: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: RELEASES)
    moved_to: str = ""

    def commit(self, uses: str) -> str:
        """The commit that `owner/name@reference` means.

        Raises:
            Unsupported: an action, or a commit, that nobody here can know.
        """
        full, _, reference = uses.partition("@")
        name = "/".join(full.split("/")[:2])
        known = self.releases.get(name.lower())
        if known is None:
            raise Unsupported(f"the action `{name}`: this runner knows {', '.join(sorted(self.releases))}")
        if not reference:
            raise Unsupported(f"`{uses}` names no version")
        if COMMIT.fullmatch(reference.lower()):
            reference = reference.lower()
            if reference not in known.values():
                raise Unsupported(
                    f"the commit {reference[:12]}… of `{name}`: this runner knows "
                    + ", ".join(f"{commit} ({tag})" for tag, commit in known.items())
                )
            return reference
        return self.moved_to or list(known.values())[-1]

    def after_an_attack(self) -> Registry:
        """The same registry after somebody has moved every tag and every branch to a commit of their own."""
        return replace(self, moved_to="bad" + "0" * 37)
