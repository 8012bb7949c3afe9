"""Settings of one process, read once from a mapping by its `__main__`; no other module looks at the environment."""

from __future__ import annotations

import base64
import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchtask.errors import SettingsError

PREFIX = "BATCHTASK_"
#: A deadline is a date: `inf` has none.
LONGEST_TIMEOUT_SECONDS = 366 * 86_400


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What can be set; `BATCHTASK_<NAME IN CAPITALS>` sets a field."""

    amqp_url: str = field(default="amqp://guest:guest@127.0.0.1:5672/%2f", repr=False)
    """URL of the broker's virtual host, password included."""
    database_url: str = field(default="", repr=False)
    """URL of the PostgreSQL database, password included; a web tier that only submits needs none."""
    files_dir: Path = Path("var/files")
    """Folder for result files; shared by all workers and whoever serves downloads."""
    archive_dir: Path = Path("var/archive")
    """Folder of the CRM's document archive; templates that tasks name by number lie in it."""
    secret_keys: str = field(default="", repr=False)
    """Keys that encrypt stored passwords, separated by commas: the first encrypts, all decrypt."""
    payload_url: str = ""
    """Folder or bucket (any fsspec URL) for parameters over 64 KiB; empty = such a submission is refused."""
    max_tasks: int = 16
    """Most tasks that one worker runs at a time."""
    task_timeout: float = -1
    """Hard limit in seconds for every task, on top of its definition's own; -1 = none."""
    drain_seconds: float = 30
    """How long a worker that was told to stop lets running tasks finish before it interrupts them."""
    heartbeat_seconds: float = 60
    """How often a worker says in a task's stream that it is alive."""
    lease_seconds: float = 180
    """An attempt that says nothing for this long is taken to be dead; more than two heartbeats."""
    consumer_timeout: float = 0
    """The broker's acknowledgement timeout in seconds, where its operator changed it; 0 = found out, else 1800."""
    management_url: str = field(default="", repr=False)
    """URL of the broker's management API, password included; empty = not asked."""
    cpu_threshold: float = 100
    """Above this load of the machine's processors, in per cent, a worker starts no task; 100 = off."""
    memory_limit_mb: int = 0
    """Memory that a task may take, in MB, on top of its definition's own limit; 0 = no limit."""
    child_tasks: int = 10_000
    """A child process is replaced after so many tasks; 0 = never."""
    child_memory_mb: int = 512
    """A child process that holds more than this after a task, in MB, is replaced; 0 = never."""
    reconcile_seconds: float = 15
    """Pause between two passes of the projections that look for tasks which a fault left behind."""
    submit_seconds: float = 5
    """Deadline of a submission: confirmed by then, or an error."""
    database_tag: str = ""
    """A worker leaves tasks with another tag than this one (the original's `dbTag`) to others; empty = takes all."""
    web_host: str = "127.0.0.1"
    """Address that the web application listens on; 0.0.0.0 = all of the machine."""
    web_port: int = 8080
    """Port that the web application listens on; 0 = any free one, told in the log."""
    web_origins: str = ""
    """Origins, separated by spaces, whose pages may call the web application; * = all, but without cookies."""
    web_proxies: str = ""
    """Addresses or networks, separated by spaces, of proxies that say truly from where and how a request came."""
    web_basic: bool = True
    """Whether calls may carry a user's name and password (Basic); the login form and tokens are there without it."""
    session_hours: float = 12
    """After so many hours a login through the form ends."""
    jwt_issuer: str = ""
    """URL of the identity provider whose tokens (JWT) are taken, as its tokens spell it; empty = none is."""
    jwt_audience: str = ""
    """Whom tokens must be meant for (`aud`): the name that the provider knows the web application by."""
    jwt_keys: str = ""
    """Where the provider's public keys are: a URL of a JWKS, or a JWKS or PEM file; empty = asked of the issuer."""
    jwt_name_claim: str = "preferred_username"
    """Claim of a token that holds the user's login name in the CRM."""
    log_level: str = "info"
    """debug, info, warning or error."""

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: object) -> Settings:
        """Build settings from a mapping such as `os.environ`; overrides that are None are ignored.

        Raises:
            SettingsError: Names every wrong value and every unknown name at once.
        """
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        known = {PREFIX + f.name.upper(): f for f in dataclasses.fields(cls)}
        problems = [_unknown(name, known) for name in given if name not in known]
        values: dict[str, object] = {}
        for name, text in given.items():
            if name in known:
                _read_value(known[name], name, text, values, problems)
        values.update({name: value for name, value in overrides.items() if value is not None})
        settings = cls(**values)  # type: ignore[arg-type]
        problems += _relations(settings)
        if problems:
            raise SettingsError(problems)
        return settings

    def require_database(self) -> str:
        """Return the database URL.

        Raises:
            SettingsError: None was given.
        """
        if not self.database_url:
            raise SettingsError(["set BATCHTASK_DATABASE_URL, such as postgresql://user:password@host/database"])
        return self.database_url


def _unknown(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting" + (f"; did you mean {close[0]}?" if close else "")


_SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
_KEY_BYTES = 32
_ORIGIN = re.compile(r"https?://[\w.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", re.ASCII)


def _read_switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise ValueError(text)
    return _SWITCH[text.lower()]


def _is_network(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text))
    except ValueError:
        return False


def _is_key(text: str) -> bool:
    # What `batchtask secret new-key` makes, and Fernet takes. Sessions are signed with it: a word could be guessed.
    try:
        return len(base64.urlsafe_b64decode(text)) == _KEY_BYTES
    except ValueError:
        return False


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int, "float": float, "str": str, "Path": Path, "bool": _read_switch,
}  # fmt: skip


def _read_value(
    known: dataclasses.Field[Any], name: str, text: str, values: dict[str, object], problems: list[str]
) -> None:
    try:
        values[known.name] = _READERS[str(known.type)](text)
    except ValueError:
        wanted = "on or off" if known.type == "bool" else "a number"
        problems.append(f"{name} must be {wanted}, not {text!r}")


def _relations(settings: Settings) -> list[str]:
    checks = {
        "BATCHTASK_MAX_TASKS must be from 1 to 1000": 1 <= settings.max_tasks <= 1000,
        "BATCHTASK_TASK_TIMEOUT must be -1 (no limit), or more than 0 and at most a year": settings.task_timeout == -1
        or 0 < settings.task_timeout <= LONGEST_TIMEOUT_SECONDS,
        "BATCHTASK_DRAIN_SECONDS must not be negative": settings.drain_seconds >= 0,
        "BATCHTASK_HEARTBEAT_SECONDS must be more than 0": settings.heartbeat_seconds > 0,
        "BATCHTASK_LEASE_SECONDS must be more than two BATCHTASK_HEARTBEAT_SECONDS": settings.lease_seconds
        > 2 * settings.heartbeat_seconds,
        "BATCHTASK_CONSUMER_TIMEOUT must not be negative": settings.consumer_timeout >= 0,
        "BATCHTASK_MANAGEMENT_URL must begin with http:// or https://": not settings.management_url
        or settings.management_url.startswith(("http://", "https://")),
        "BATCHTASK_CPU_THRESHOLD must be more than 0 and at most 100": 0 < settings.cpu_threshold <= 100,
        "BATCHTASK_MEMORY_LIMIT_MB must not be negative": settings.memory_limit_mb >= 0,
        "BATCHTASK_CHILD_TASKS must not be negative": settings.child_tasks >= 0,
        "BATCHTASK_CHILD_MEMORY_MB must not be negative": settings.child_memory_mb >= 0,
        "BATCHTASK_RECONCILE_SECONDS must be more than 0": settings.reconcile_seconds > 0,
        "BATCHTASK_SUBMIT_SECONDS must be more than 0": settings.submit_seconds > 0,
        "BATCHTASK_WEB_PORT must be from 0 to 65535": 0 <= settings.web_port <= 65_535,
        "BATCHTASK_WEB_ORIGINS must be * or origins such as https://crm.example.com, separated by spaces": all(
            origin == "*" or _ORIGIN.fullmatch(origin) for origin in settings.web_origins.split()
        ),
        "BATCHTASK_WEB_PROXIES must be addresses or networks such as 10.0.0.0/8, separated by spaces": all(
            map(_is_network, settings.web_proxies.split())
        ),
        "BATCHTASK_SESSION_HOURS must be more than 0 and at most a year": 0
        < settings.session_hours
        <= LONGEST_TIMEOUT_SECONDS / 3600,
        "BATCHTASK_SECRET_KEYS holds what is no key; `batchtask secret new-key` makes one": all(
            _is_key(key.strip()) for key in settings.secret_keys.split(",") if key.strip()
        ),
        "BATCHTASK_JWT_ISSUER and BATCHTASK_JWT_AUDIENCE must be set together": bool(settings.jwt_issuer)
        == bool(settings.jwt_audience),
        "BATCHTASK_JWT_KEYS needs BATCHTASK_JWT_ISSUER": bool(settings.jwt_issuer) or not settings.jwt_keys,
        "BATCHTASK_JWT_ISSUER must begin with https:// or http://, or BATCHTASK_JWT_KEYS must be set": not (
            settings.jwt_issuer
        )
        or bool(settings.jwt_keys)
        or settings.jwt_issuer.startswith(("https://", "http://")),
        "BATCHTASK_LOG_LEVEL must be debug, info, warning or error": settings.log_level.lower()
        in {"debug", "info", "warning", "error"},
        "BATCHTASK_AMQP_URL must begin with amqp:// or amqps://": settings.amqp_url.startswith(
            ("amqp://", "amqps://")
        ),
        "BATCHTASK_DATABASE_URL must begin with postgresql://": not settings.database_url
        or settings.database_url.startswith(("postgresql://", "postgresql+psycopg://")),
    }
    return [problem for problem, holds in checks.items() if not holds]
