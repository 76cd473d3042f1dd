"""Rotates the database password of `fraud` while it serves.

    python3 rotate.py --to NAME [--timeout SECONDS] [--poll SECONDS] [-v]

The Secret `fraud-db` is the one memory of a rotation, so any run can go on where another one died:

    id, password             what pods read at their start; always accepted by the database
    next-id, next-password   staged: written here first, so that a password which the database has is never lost

Every change of the Secret carries the resourceVersion that was read. Of two runs one is refused, and reads again.
Exit status: 0 done, or nothing to do; 4 pods are not ready in time; 1 anything else. No text of others is ever printed.
"""

from __future__ import annotations

import argparse
import base64
import logging
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

SPACE, DEPLOYMENT, SECRET = "fraud", "fraud", "fraud-db"
ANNOTATION = "nukkad.example/database-password"
NOT_READY = 4
log = logging.getLogger("rotate")


class Failed(Exception):
    """The message is made of our own words: it may be printed."""


class NotInTime(Failed):
    """Pods, or the database, took longer than --timeout."""


class Changed(Exception):
    """Somebody else has changed the Secret since we read it."""


class Http:
    """A client that never says what was sent or answered: either may hold a password."""

    def __init__(self, client: httpx.Client, address: str, token: str) -> None:
        self._client, self._address, self._headers = client, address, {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json", fine: tuple[int, ...] = ()) -> tuple[int, Any]:
        """Returns: status and body. Raises: Failed, the status is an error that is not among `fine`."""
        try:
            headers = self._headers | ({"Content-Type": kind} if body else {})
            reply = self._client.request(method, self._address + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Failed(f"{method} {path}: {type(error).__name__}") from None
        log.debug("%s %s: %d", method, path, reply.status_code)
        if reply.status_code >= 400 and reply.status_code not in fine:
            raise Failed(f"{method} {path}: status {reply.status_code}")
        return reply.status_code, reply.json() if reply.content else None


@dataclass(frozen=True)
class State:
    """What the Secret holds."""

    version: str
    data: dict[str, str]

    @property
    def id(self) -> str:
        return self.data["id"]

    @property
    def next_id(self) -> str:
        return self.data.get("next-id", "")

    @property
    def ids(self) -> set[str]:
        return {self.id, self.next_id} - {""}


class Cluster:
    """The few calls that the rotator may make."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._secret = f"/api/v1/namespaces/{SPACE}/secrets/{SECRET}"
        self._deployment = f"/apis/apps/v1/namespaces/{SPACE}/deployments/{DEPLOYMENT}"

    def state(self) -> State:
        _, found = self._http.ask("GET", self._secret)
        data = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
        return State(found["metadata"]["resourceVersion"], data)

    def change(self, state: State, **values: str | None) -> None:
        """Set keys of the Secret, or remove them with None. Raises: Changed, Failed."""
        data = {
            key.replace("_", "-"): None if value is None else base64.b64encode(value.encode()).decode()
            for key, value in values.items()
        }
        body = {"metadata": {"resourceVersion": state.version}, "data": data}
        status, _ = self._http.ask("PATCH", self._secret, body, "application/merge-patch+json", fine=(409,))
        if status == 409:
            raise Changed

    def roll(self, name: str) -> None:
        """Have every pod replaced by one that starts now, unless that was asked for already."""
        _, found = self._http.ask("GET", self._deployment)
        if found:
            marks = {ANNOTATION: name, "nukkad.example/restarted-at": str(time.time())}
            body = {"spec": {"template": {"metadata": {"annotations": marks}}}}
            self._http.ask("PATCH", self._deployment, body, "application/merge-patch+json")
            log.info("asked for new pods")

    def rolled(self, name: str) -> bool:
        """Whether all pods are new and ready. An old one that is about to end still holds the old password."""
        _, found = self._http.ask("GET", self._deployment)
        status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
        settled = (
            status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == status.get("readyReplicas", 0) == wanted
        )
        if not settled:
            return False
        labels = found["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        _, pods = self._http.ask("GET", f"/api/v1/namespaces/{SPACE}/pods?labelSelector={selector}")
        return all(_mark(pod) == name for pod in pods["items"])


def _mark(thing: Any) -> str:
    return str(((thing.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION, ""))


class Database:
    """The administrator's side of the database."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def states(self) -> dict[str, str]:
        _, found = self._http.ask("GET", "/users/fraud/passwords")
        return {one["id"]: one["state"] for one in found["passwords"]}

    def add(self, name: str, password: str) -> None:
        self._http.ask("PUT", f"/users/fraud/passwords/{name}", {"password": password})

    def remove(self, name: str) -> None:
        self._http.ask("DELETE", f"/users/fraud/passwords/{name}", fine=(404,))


class Rotation:
    def __init__(self, cluster: Cluster, database: Database, timeout: float, poll: float) -> None:
        self._cluster, self._database, self._timeout, self._poll = cluster, database, timeout, poll

    def to(self, name: str) -> None:
        """Go on until everything uses the password with this name. Raises: Failed."""
        while True:
            state = self._cluster.state()
            try:
                if state.next_id:
                    self._promote(state)
                elif state.id == name:
                    self._settle(state)
                    return
                else:
                    self._settle(state)
                    self._stage(state, name)
            except Changed:
                log.info("another run has gone on; looking again")

    def _stage(self, state: State, name: str) -> None:
        self._cluster.change(state, next_id=name, next_password=secrets.token_urlsafe(32))
        log.info("staged %s", name)

    def _promote(self, state: State) -> None:
        """The database accepts it, and only then pods read it."""
        self._database.add(state.next_id, state.data["next-password"])
        self._until(lambda: self._database.states().get(state.next_id) == "active", "the database")
        changes = {"id": state.next_id, "password": state.data["next-password"]}
        self._cluster.change(state, **changes, next_id=None, next_password=None)
        log.info("pods that start now read %s", state.next_id)

    def _settle(self, state: State) -> None:
        """Every pod has read the Secret as it is, and the database knows nothing older."""
        stale = set(self._database.states()) - {state.id}
        self._cluster.roll(state.id)
        self._until(lambda: self._cluster.rolled(state.id), "the new pods")
        # First the database, then the Secret: what another run has put there since is staged by then.
        found, now = set(self._database.states()), self._cluster.state()
        if now.id != state.id:
            raise Changed  # it has gone on: pods still have what we have waited for
        for name in sorted(found - now.ids):
            self._database.remove(name)
            log.info("revoked %s", name)

    def _until(self, holds: Any, what: str) -> None:
        end = time.monotonic() + self._timeout
        while not holds():
            if time.monotonic() > end:
                raise NotInTime(f"{what}: not ready within {self._timeout:g} s; the old password stays valid")
            time.sleep(self._poll)


def connect() -> tuple[Cluster, Database]:
    """From KUBECONFIG, DATABASE_ADMIN_URL and DATABASE_ADMIN_TOKEN_FILE."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    context = _named(config["contexts"], config["current-context"])["context"]
    server = _named(config["clusters"], context["cluster"])["cluster"]["server"]
    token = _named(config["users"], context["user"])["user"]["token"]
    admin = Path(os.environ["DATABASE_ADMIN_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
    database = os.environ["DATABASE_ADMIN_URL"]
    client = httpx.Client(timeout=30)  # one for both: each would read all certificates of the machine
    return Cluster(Http(client, server, token)), Database(Http(client, database, admin))


def _named(entries: list[Any], name: str) -> Any:
    return next(one for one in entries if one["name"] == name)


def main() -> int:
    parser = argparse.ArgumentParser(description="Rotate the database password of fraud while it serves.")
    parser.add_argument("--to", required=True, metavar="NAME", help="the name of the new password")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for each wait")
    parser.add_argument("--poll", type=float, default=2, help="seconds between two looks")
    parser.add_argument("-v", action="count", default=0)
    words = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(words.v, 2)])  # ours alone, no library's
    try:
        cluster, database = connect()
        Rotation(cluster, database, words.timeout, words.poll).to(words.to)
    except NotInTime as error:
        print(error, file=sys.stderr)
        return NOT_READY
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the password in use is {words.to}, and no other is valid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
