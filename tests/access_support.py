"""A small application behind our authentication, and the people, programs and identity provider who call it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from litestar import Litestar, Request, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.testing import TestClient
from sqlalchemy import Engine, select, text, update

from batchtask import crm7
from batchtask.crm7.rights import functionright, functionrightrolelink, role, userrolelink
from batchtask.database import make_engine
from batchtask.http.authentication import PUBLIC, Authentication, OwnWay
from batchtask.http.callers import Caller
from batchtask.http.login import login_handlers
from batchtask.http.origins import cors_config
from batchtask.http.problem_handlers import EXCEPTION_HANDLERS
from batchtask.http.web_users import set_password
from batchtask.settings import Settings
from tests.crm_support import add_user, crm_rows

PASSWORD = "correct horse battery"
AUDIENCE = "batchtask"
PROVIDER_KEY = rsa.generate_private_key(65537, 2048)
STRANGERS_KEY = rsa.generate_private_key(65537, 2048)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
EDWARDS_KEY = ed25519.Ed25519PrivateKey.generate()


def add_people(database_url: str) -> None:
    """Add Ann, who may do everything; Bob, an ordinary user; Rita, who retired; all with the same password."""
    with crm_rows(database_url) as add:
        ann = add_user(add, "Ann")
        add_user(add, "bob")
        add_user(add, "rita")
        right = add(functionright, name="admin-all")
        administrators = add(role, name="Administrators")
        add(functionrightrolelink, roleid=administrators, functionrightid=right)
        add(userrolelink, role_id=administrators, associate_id=ann)
    engine = make_engine(database_url)
    for name in ("Ann", "bob", "rita"):
        set_password(engine, name, PASSWORD)
    retire(engine, "rita")
    engine.dispose()


def id_of(engine: Engine, name: str) -> int:
    """The associate id of a user."""
    query = select(crm7.associate.c.associate_id).where(crm7.associate.c.name == name)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def retire(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(update(crm7.associate).where(crm7.associate.c.name == name).values(deleted=1))


def run_sql(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@contextmanager
def web_client(
    database_url: str,
    *,
    base_url: str = "http://crm.example.com",
    root_path: str = "",
    authenticate: OwnWay | None = None,
    **settings: Any,
) -> Iterator[Client]:
    """Give a client of a new process's worth of memory: limits and caches begin empty."""
    engine = make_engine(database_url)
    given = Settings(database_url=database_url, **settings)
    authentication = Authentication(given, engine, authenticate=authenticate)

    async def require_caller(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if not handler.opt.get(PUBLIC):
            connection.scope["user"] = await authentication.caller_of(connection)

    app = Litestar(
        [read, change, login_handlers(authentication)],
        dependencies={"caller": Provide(_caller, sync_to_thread=False)},
        guards=[require_caller],
        exception_handlers=EXCEPTION_HANDLERS,
        cors_config=cors_config(given),
        logging_config=None,
    )
    with Client(app, base_url=base_url, root_path=root_path, raise_server_exceptions=False) as client:
        client.engine, client.authentication = engine, authentication
        client.follow_redirects = False
        yield client
    engine.dispose()


class Client(TestClient[Litestar]):
    """A browser or a program."""

    engine: Engine
    authentication: Authentication

    def log_in(self, name: str = "bob", password: str = PASSWORD, **asked: str) -> Any:
        return self.post("/login", params=asked, data={"name": name, "password": password})

    @property
    def xsrf(self) -> dict[str, str]:
        return {"X-XSRF-TOKEN": self.cookies["XSRF-TOKEN"]}

    def forget_all(self) -> None:
        """Go on as if the 30 s of the cache had passed."""
        self.authentication._callers._searches.clear()


@get("/thing")
async def read(caller: NamedDependency[Caller]) -> Caller:
    return caller


@post("/thing", status_code=200)
async def change(caller: NamedDependency[Caller]) -> Caller:
    return caller


def _caller(request: Request[Any, Any, Any]) -> Caller:
    caller: Caller = request.scope["user"]
    return caller


def basic(name: str, password: str = PASSWORD, encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode(encoding)).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Provider:
    """An identity provider that really listens: discovery, keys, tokens."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public_jwk(PROVIDER_KEY, "one")]
        self.asked: list[str] = []
        self.issuer_in_document: str | None = None
        self.answers = Event()  #: cleared: it takes requests, and says nothing
        self.answers.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                provider.answers.wait(20)
                document = {
                    "issuer": provider.issuer_in_document or provider.issuer,
                    "jwks_uri": provider.url("/keys"),
                }
                body = json.dumps({"keys": provider.keys} if self.path == "/keys" else document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = self.url("")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    @property
    def settings(self) -> dict[str, str]:
        return {"jwt_issuer": self.issuer, "jwt_audience": AUDIENCE}

    def token(
        self, key: Any = PROVIDER_KEY, *, algorithm: str = "RS256", kid: str | None = "one", **changes: object
    ) -> str:
        """Sign claims; a change to None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "exp": now + 300, "preferred_username": "bob", "nbf": now}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider = Provider()
    thread = Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()
    provider.server.server_close()


def public_jwk(private: Any, kid: str, **more: object) -> dict[str, Any]:
    match private:
        case rsa.RSAPrivateKey():
            kind: Any = jwt.algorithms.RSAAlgorithm
        case ec.EllipticCurvePrivateKey():
            kind = jwt.algorithms.ECAlgorithm
        case _:
            kind = jwt.algorithms.OKPAlgorithm
    return {**json.loads(kind.to_jwk(private.public_key())), "kid": kid, **more}


def write_pem(private: Any, path: Path) -> Path:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path
