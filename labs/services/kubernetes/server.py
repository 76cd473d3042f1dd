"""Serves the application on a listening socket: HTTP and HTTPS on the same port.

The first byte of a connection tells which: 22 begins a TLS handshake, a letter an HTTP request. Health checks and
graders may use plain HTTP; kubectl and Helm send their tokens over TLS only.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import FrameType

import uvicorn
import yaml

from labs.errors import LabsError
from labs.services.kubernetes import CLUSTER
from labs.services.kubernetes.app import create_app
from labs.services.kubernetes.certificates import CERTIFICATE, server_context, write_private

_HANDSHAKE = 22
_FIRST_BYTE_SECONDS = 30.0


class TwoTongues(uvicorn.Server):
    """A uvicorn server that accepts by itself and lets each connection speak HTTP or HTTPS."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        context: ssl.SSLContext,
        before_exit: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listener, self._context, self._before_exit = listener, context, before_exit
        self._tasks: set[asyncio.Task[None]] = set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop: watches end at once, or the shutdown would wait for them."""
        self._before_exit()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        self.servers = []
        self._listener.setblocking(False)
        self._keep(self._accept())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in list(self._tasks):
            task.cancel()
        await super().shutdown(sockets)

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            self._keep(self._begin(connection))

    async def _begin(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = await asyncio.wait_for(_first_byte(connection), _FIRST_BYTE_SECONDS)
            context = self._context if first[:1] == bytes([_HANDSHAKE]) else None
            await loop.connect_accepted_socket(self._protocol, connection, ssl=context)
        except (OSError, TimeoutError):
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    def _protocol(self) -> asyncio.Protocol:
        made = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        assert isinstance(made, asyncio.Protocol)
        return made


async def _first_byte(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        try:
            return connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(connection, _settle, readable)
            try:
                await readable
            finally:
                loop.remove_reader(connection)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def kubeconfig(address: str, certificate: bytes, token: str, user: str = "admin") -> str:
    """A kubeconfig for one user."""
    name, authority = CLUSTER, base64.b64encode(certificate).decode()
    cluster = {"server": address, "certificate-authority-data": authority}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        },
        sort_keys=False,
    )


def serve(listener: socket.socket, data: Path, *, speed: float | None = None) -> None:
    """Serve until SIGTERM or SIGINT; DATA/kubeconfig is there once the server answers.

    Raises:
        LabsError: the data is damaged or in use, or the socket does not listen on TCP.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        raise LabsError("The socket is not a TCP socket", "Give a listening TCP socket on 127.0.0.1.")
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise LabsError("The socket does not listen", "Call listen() on it before starting the server.")
    app = create_app(data, speed=speed)
    context = server_context(data)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    text = kubeconfig(
        f"https://{shown}:{port}", (data / CERTIFICATE).read_bytes(), app.state.cluster.tokens.admin
    )
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,  # kubectl waits five seconds before it tries again, on the same connection
        server_header=False,
    )
    server = TwoTongues(config, listener, context, app.state.cluster.reader.end)
    write_private(data / "kubeconfig", text.encode())
    config.load()
    # uvicorn raises the signal once more when it has stopped; the process then ends with status 0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())


def main(arguments: list[str]) -> int:
    """`python -m labs.services.kubernetes SOCKET DATA [SPEED]`"""
    if len(arguments) not in (2, 3) or not arguments[0].isdigit():
        print("usage: python -m labs.services.kubernetes SOCKET DATA [SPEED]", file=sys.stderr)
        return 2
    try:
        speed = float(arguments[2]) if len(arguments) == 3 else None
        listener = socket.socket(fileno=int(arguments[0]))
        serve(listener, Path(arguments[1]), speed=speed)
    except LabsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (OSError, ValueError) as error:
        print(
            LabsError(f"The server cannot start: {error}", "Check SOCKET, DATA and SPEED."), file=sys.stderr
        )
        return 2
    return 0
