"""The ASGI application: HTTP in, HTTP out.

Every request finds the controllers at rest: what earlier writes led to, and what was due by now, has happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from labs.services.kubernetes import control, decoding, discovery, requests
from labs.services.kubernetes.answers import Answer, Answers, Request
from labs.services.kubernetes.authentication import denied
from labs.services.kubernetes.cluster import Cluster, open_cluster
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.statuses import ApiError, no_such_path, status
from labs.services.kubernetes.users import Attributes, User

_JSON = "application/json"
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH = ("/healthz", "/livez", "/readyz")
_NAP = 0.5
_MOST_BYTES = 3 * 1024 * 1024
_LOG = logging.getLogger("labs.services.kubernetes")


class Server:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._answers = Answers(cluster)
        self._stirred = asyncio.Event()

    async def keep_time(self) -> None:
        """Let the controllers act when their moments come, for as long as the server runs."""
        cluster = self.cluster
        while True:
            try:
                cluster.loop.run()
            except sqlite3.Error:
                _LOG.exception("the data cannot be written")
            self._stirred.clear()
            coming = cluster.loop.next_moment
            wait = None if coming is None else cluster.clock.real_seconds_until(coming)
            nap = _NAP if wait is None else min(wait, _NAP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), max(nap, 0.001))

    async def handle(self, http: HttpRequest) -> Response:
        path: str = http.scope["path"]
        if path.rstrip("/") in _HEALTH and http.method == "GET":
            return Response("ok", media_type="text/plain")
        warnings: list[str] = []
        try:
            body = await _body(http)
            return self._handle(http, path, body, warnings)
        except ApiError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return _json(error.code, error.body, warnings, headers)
        except sqlite3.Error as error:
            text = (
                f"this embedded API server cannot write its data: {error}; free space or look at its folder"
            )
            return _json(500, status(500, "InternalError", text), warnings)
        except Exception:
            self._report_fault(http)
            text = "this embedded API server failed: a fault of ours; its log has the traceback"
            return _json(500, status(500, "InternalError", text), warnings)

    @staticmethod
    def _report_fault(http: HttpRequest) -> None:
        _LOG.exception("%s %s", http.method, http.scope["path"])

    def _handle(self, http: HttpRequest, path: str, body: bytes, warnings: list[str]) -> Response:
        cluster = self.cluster
        cluster.loop.run()
        now = cluster.clock.now()
        headers: dict[str, list[str]] = {}
        for key, value in http.headers.items():
            headers.setdefault(key.lower(), []).append(value)
        user = cluster.authentication.user(headers, now)
        query = dict(http.query_params)
        request = Request(
            http.method,
            path,
            query,
            body,
            http.headers.get("content-type", ""),
            http.headers.get("accept", ""),
        )
        target = requests.parse(path)
        if target is None:
            return self._about_itself(user, request)
        verb = requests.verb_of(http.method, target, query)
        self._authorize(user, _attributes(target, verb, query))
        ctx = Context(
            user=user,
            now=now,
            manager=query.get("fieldManager") or http.headers.get("user-agent", "unknown").partition("/")[0],
            dry_run=requests.dry_run(query),
            validation=query.get("fieldValidation") or "Warn",
            force=requests.flag(query, "force"),
            warnings=warnings,
        )
        if ctx.validation not in ("Strict", "Warn", "Ignore"):
            raise ApiError(422, "Invalid", f'fieldValidation: Unsupported value: "{ctx.validation}"')
        with cluster.store.transaction():
            answer = self._answers.answer(target, verb, request, ctx)
        if cluster.loop.busy:
            asyncio.get_running_loop().call_soon(self._settle)
        return _response(answer, ctx.warnings)

    def _settle(self) -> None:
        self.cluster.loop.run()
        self._stirred.set()

    def _authorize(self, user: User, asked: Attributes) -> None:
        if not self.cluster.authorizer.decide(user, asked).allowed:
            raise denied(user, asked)

    def _about_itself(self, user: User, request: Request) -> Response:
        """Everything that is not a resource: discovery, versions, OpenAPI and the control API."""
        path = request.path.rstrip("/") or "/"
        verb = {"GET": "get", "HEAD": "get"}.get(request.method, request.method.lower())
        self._authorize(user, Attributes(verb, path=path))
        if path.startswith(control.PREFIX):
            body = decoding.body(request.body, _JSON) if request.body else {}
            answer = control.answer(self.cluster, request.method, path, body)
            self._stirred.set()
            return _json(200, answer, [])
        if request.method not in ("GET", "HEAD"):
            raise no_such_path(request.path)
        pieces = path.strip("/").split("/")
        match pieces:
            case ["version"]:
                return _json(200, discovery.VERSION, [])
            case ["api"] | ["apis"]:
                return self._roots(pieces[0], request)
            case ["api", version]:
                found = discovery.resource_list("", version)
            case ["apis", group]:
                found = discovery.one_group(group)
            case ["apis", group, version]:
                found = discovery.resource_list(group, version)
            case ["openapi", "v2"]:
                return Response(b"\n\x032.0", media_type=_OPENAPI_V2)
            case ["openapi", "v3"]:
                return Response(discovery.openapi_index(), media_type=_JSON)
            case ["openapi", "v3", "api", version]:
                return self._openapi("", version, path)
            case ["openapi", "v3", "apis", group, version]:
                return self._openapi(group, version, path)
            case _:
                found = None
        if found is None:
            raise no_such_path(path)
        return _json(200, found, [])

    def _openapi(self, group: str, version: str, path: str) -> Response:
        found = discovery.openapi(group, version)
        if found is None:
            raise no_such_path(path)
        return Response(found, media_type=_JSON, headers={"Cache-Control": "public, immutable"})

    def _roots(self, root: str, request: Request) -> Response:
        for version in ("v2", "v2beta1"):
            if (
                f"v={version};" in f"{request.accept};".replace(",", ";,")
                and "APIGroupDiscoveryList" in request.accept
            ):
                found = discovery.aggregated(root == "api", version)
                return Response(orjson.dumps(found), media_type=_AGGREGATED.format(version))
        if root == "api":
            return _json(200, discovery.api_versions("127.0.0.1"), [])
        return _json(200, discovery.groups(), [])


async def _body(http: HttpRequest) -> bytes:
    """Raises: ApiError 413, as for everything that etcd would not hold."""
    parts, size = list[bytes](), 0
    async for part in http.stream():
        size += len(part)
        if size > _MOST_BYTES:
            text = f"Request entity too large: limit is {_MOST_BYTES}"
            raise ApiError(413, "RequestEntityTooLarge", text)
        parts.append(part)
    return b"".join(parts)


def _attributes(target: requests.Target, verb: str, query: dict[str, str]) -> Attributes:
    asked = target.attributes(verb)
    field = query.get("fieldSelector", "")
    if (
        verb in ("list", "watch", "deletecollection")
        and field.startswith("metadata.name=")
        and "," not in field
    ):
        return Attributes(
            verb, asked.group, asked.resource, "", asked.namespace, field.partition("=")[2].lstrip("=")
        )
    return asked


def _json(code: int, body: Any, warnings: list[str], headers: dict[str, str] | None = None) -> Response:
    response = Response(orjson.dumps(body), code, headers, _JSON)
    _warn(response, warnings)
    return response


def _warn(response: Response, warnings: list[str]) -> None:
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.raw_headers.append((b"warning", f'299 - "{quoted}"'.encode("latin-1", "replace")))


def _response(answer: Answer, warnings: list[str]) -> Response:
    if answer.lines is not None:
        response: Response = StreamingResponse(answer.lines, answer.code, media_type=_JSON)
        _warn(response, warnings)
        return response
    return _json(answer.code, answer.body, warnings)


def create_app(data: Path, *, speed: float | None = None, start: float | None = None) -> Starlette:
    """The server as an ASGI application.

    Args:
        data: the folder that holds its objects.
        speed: seconds of its clock for each real second; 0 stands still until told. As before if not given, 1 at first.
        start: where the clock of a new cluster begins, in seconds since 1970; now if not given.

    Raises:
        LabsError: the folder is damaged or in use.
    """
    cluster = open_cluster(data, speed=speed, start=start)
    server = Server(cluster)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(server.keep_time())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            cluster.store.set("clock", str(cluster.clock.now()))
            cluster.close()

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", server.handle, methods=methods)], lifespan=life)
    app.state.cluster = cluster
    return app
