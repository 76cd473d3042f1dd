"""A database of the grader's: it knows users by up to two passwords at a time, as many real ones do.

What it is to a client stands in the brief: routes below /database, an administrator's token, and a new password that is
accepted only a little later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

SLOW = 5  # requests of anybody until a new password is accepted: a replica has to hear of it
MOST = 2


@dataclass
class Database:
    """Attributes: passwords by id; `asked`, the requests seen so far; `fault`, whether writing fails for now."""

    admin: str
    passwords: dict[str, tuple[str, int]]  # id → password, the request from which on it is accepted
    asked: int = 0
    fault: bool = False
    seen: set[str] = field(default_factory=set)  # every password that was ever sent here

    def accepts(self, password: str) -> bool:
        return any(one == password and self.asked >= since for one, since in self.passwords.values())

    def ids(self) -> list[str]:
        return sorted(self.passwords)

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, object]:
        """One request below /database. Returns: status, JSON."""
        try:
            said = json.loads(body) if body else {}
        except ValueError:
            return 400, {"error": "the body is no JSON"}
        said = said if isinstance(said, dict) else {}
        if path == "/login" and method == "POST":
            fits = said.get("user") == "fraud" and self.accepts(str(said.get("password")))
            return (200, {"user": "fraud"}) if fits else (401, {"error": "wrong user or password"})
        if token != self.admin:
            return 401, {"error": "the administrator's token is needed"}
        if path == "/users/fraud/passwords" and method == "GET":
            found = [
                {"id": name, "state": "active" if self.asked >= since else "pending"}
                for name, (_, since) in sorted(self.passwords.items())
            ]
            return 200, {"passwords": found}
        root, _, name = path.rpartition("/")
        if root != "/users/fraud/passwords" or not name:
            return 404, {"error": "no such route"}
        if method == "PUT":
            return self._put(name, said.get("password"))
        if method == "DELETE":
            return (204, None) if self.passwords.pop(name, None) else (404, {"error": f"no password {name}"})
        return 405, {"error": "GET, PUT or DELETE"}

    def _put(self, name: str, password: object) -> tuple[int, object]:
        if not isinstance(password, str) or len(password) < 16:
            return 400, {"error": "`password`: a text of at least 16 characters"}
        self.seen.add(password)
        if self.fault:  # what databases really do: the statement is in the error
            text = f"cannot write: ALTER USER fraud ADD PASSWORD '{password}'"
            return 500, {"error": text}
        if name in self.passwords:
            if self.passwords[name][0] == password:
                return 200, {"id": name}
            return 409, {"error": f"{name} is another password"}
        if len(self.passwords) >= MOST:
            return 409, {"error": "the user has two passwords already"}
        self.passwords[name] = (password, self.asked + SLOW)
        return 202, {"id": name}
