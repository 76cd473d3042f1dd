"""Who may read what in an image: users, groups, owners and modes, as the kernel looks at them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

READ, ENTER = 4, 1
FILE, FOLDER, PROGRAM = 0o644, 0o755, 0o755
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*)+)")
_CHANGE = re.compile(r"([-+=])([rwxXst]*)")
_BITS = {"r": 4, "w": 2, "x": 1}
_BASE_GROUPS = "root 0 daemon 1 bin 2 sys 3 adm 4 tty 5 www-data 33 staff 50 games 60 users 100 nogroup 65534"
BASE_GROUPS = {
    name: int(number)
    for name, number in zip(_BASE_GROUPS.split()[::2], _BASE_GROUPS.split()[1::2], strict=True)
}


@dataclass(frozen=True)
class User:
    uid: int
    home: str = "/nonexistent"
    gid: int = 65534


_BASE_USERS = """
root 0 0 /root  daemon 1 1 /usr/sbin  bin 2 2 /bin  sys 3 3 /dev  games 5 60 /usr/games  mail 8 8 /var/mail
www-data 33 33 /var/www  backup 34 34 /var/backups  _apt 42 65534 /nonexistent  nobody 65534 65534 /nonexistent
"""
_WORDS = _BASE_USERS.split()
BASE_USERS = {
    _WORDS[at]: User(int(_WORDS[at + 1]), _WORDS[at + 3], int(_WORDS[at + 2]))
    for at in range(0, len(_WORDS), 4)
}


@dataclass(frozen=True)
class Access:
    """The mode and the owner of one file or folder."""

    mode: int = FILE
    uid: int = 0
    gid: int = 0

    def allows(self, who: Identity, bits: int) -> bool:
        if who.uid == 0:
            return True
        shift = 6 if who.uid == self.uid else 3 if self.gid in who.gids else 0
        return self.mode >> shift & bits == bits

    def owned_by(self, uid: int | None, gid: int | None) -> Access:
        """With another owner; None leaves it."""
        return replace(self, uid=self.uid if uid is None else uid, gid=self.gid if gid is None else gid)

    def __str__(self) -> str:
        return f"mode {self.mode:o}, owner {self.uid}:{self.gid}"


@dataclass(frozen=True)
class Identity:
    """A process's user and groups."""

    uid: int
    gids: frozenset[int]


@dataclass(frozen=True)
class Barrier:
    """What keeps a user from a path: the path itself, or a folder above it. `act`: enter, list, read."""

    act: str
    path: str
    access: Access

    def __str__(self) -> str:
        return f"may not {self.act} `{self.path}` ({self.access})"


def changed_mode(text: str, mode: int, is_folder: bool, umask: int = 0o022) -> int | None:
    """What `chmod TEXT` makes of a mode, octal or like `u=rwX,go-w`; None when chmod refuses the text."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        return int(text, 8)
    for clause in text.split(","):
        found = _CLAUSE.fullmatch(clause)
        if not found:
            return None
        whose = found[1].replace("a", "ugo") or "ugo"
        kept = 0o777 if found[1] else 0o777 & ~umask  # without a name the umask's bits are not touched
        for sign, letters in _CHANGE.findall(found[2]):
            bits = 0
            for letter in letters:
                bits |= 1 if letter == "X" and (is_folder or mode & 0o111) else _BITS.get(letter, 0)
            asked = sum(bits << {"u": 6, "g": 3, "o": 0}[who] for who in set(whose)) & kept
            cleared = sum(7 << {"u": 6, "g": 3, "o": 0}[who] for who in set(whose)) if sign == "=" else 0
            mode = mode & ~asked if sign == "-" else (mode & ~cleared) | asked
    return mode


def parents(path: str) -> Iterator[str]:
    """The folders above a path, from `/` down."""
    parts = [part for part in posixpath.dirname(path).split("/") if part]
    yield "/"
    for depth in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:depth])
