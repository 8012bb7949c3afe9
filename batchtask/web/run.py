"""Running the web application as a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator, Mapping

import uvicorn

from batchtask.database import make_engine, require_schema
from batchtask.errors import SettingsError
from batchtask.processes import run_service
from batchtask.settings import Settings
from batchtask.web.app import create_app

logger = logging.getLogger(__name__)

#: Connections that wait to be taken, as when all browsers come back at once.
BACKLOG = 2048


class WebService:
    """Serves the application until told to stop.

    Args:
        settings: Uses `web_host`, `web_port`, `web_proxies` and `drain_seconds` beside what the application needs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = create_app(settings)
        self._server = _Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                access_log=False,
                lifespan="on",
                proxy_headers=bool(settings.web_proxies),
                forwarded_allow_ips=settings.web_proxies.split(),
                timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Check what we stand on, then listen.

        Raises:
            StoreUnavailable, SchemaMissing, SettingsError: A human must act; the text says how.
        """
        await asyncio.to_thread(_check_schema, self._settings)
        listener = _listener(self._settings.web_host, self._settings.web_port)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        listens = asyncio.create_task(self._server.listens.wait())
        await asyncio.wait({self._serving, listens}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            listens.cancel()
            self._serving.result()
        logger.info("web ready", extra={"url": _url(listener)})

    async def failed(self) -> None:
        """Return never; raises when the server cannot go on."""
        assert self._serving is not None
        await asyncio.shield(self._serving)
        raise SettingsError(["the web server ended by itself; its log says why"])

    async def drain(self) -> None:
        """Take no new requests, end the live streams, and answer what is being served."""
        self._app.state.closing.set()
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Stop at once."""
        self._server.should_exit = self._server.force_exit = True
        if self._serving is not None:
            await asyncio.wait({self._serving})


class _Server(uvicorn.Server):
    """Leaves signals to `run_service`, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(environ: Mapping[str, str], **overrides: object) -> int:
    """Run the web application until a signal comes, and return the exit code; see `run_service`."""
    return run_service("web", WebService, environ, **overrides)


def _check_schema(settings: Settings) -> None:
    engine = make_engine(settings.require_database(), pool_size=0)
    try:
        require_schema(engine)
    finally:
        engine.dispose()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            [f"cannot listen on {host} port {port}: {reason}; change BATCHTASK_WEB_HOST or _PORT"]
        ) from error
    # Connections have it from here: asyncio sets it for none whose listener was made without naming TCP. An answer's
    # body would wait 40 ms for the other side's acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
