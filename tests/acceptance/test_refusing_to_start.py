"""A process that cannot run says so in one line that names the remedy, and ends with code 2."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import pytest

from batchtask.local.processes import free_port
from tests.system import System

MODULES = pytest.mark.parametrize("module", ["worker", "projections"])


def test_all_wrong_settings_are_told_together(system: System) -> None:
    line = refusal(system, "worker", amqp_url="http://localhost", max_task="3", drain_seconds="soon")

    assert "BATCHTASK_AMQP_URL must begin with amqp://" in line
    assert "did you mean BATCHTASK_MAX_TASKS?" in line
    assert "BATCHTASK_DRAIN_SECONDS must be a number, not 'soon'" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amqp_url", "amqp://guest:guest@localhost:no-number/"),
        ("database_url", ""),
        ("database_url", "postgresql://nobody@localhost:no-number/x"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused(name: str, value: str, system: System) -> None:
    assert f"BATCHTASK_{name.upper()}" in refusal(system, "projections", **{name: value})


@MODULES
@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("amqp_url", "amqp://guest:guest@127.0.0.1:{port}/", "start RabbitMQ or correct BATCHTASK_AMQP_URL"),
        ("database_url", "postgresql://nobody@127.0.0.1:{port}/x", "check BATCHTASK_DATABASE_URL"),
    ],
)
def test_a_server_that_is_not_there_is_named(module: str, name: str, url: str, words: str, system: System) -> None:
    assert words in refusal(system, module, **{name: url.format(port=free_port())})


@MODULES
def test_a_wrong_password_is_refused_without_showing_it(module: str, system: System) -> None:
    login = urlsplit(system.amqp_url)
    wrong = urlunsplit(login._replace(netloc=f"{login.username}:guess-5683@{login.hostname}:{login.port}"))

    line = refusal(system, module, amqp_url=wrong)

    assert "refused the login" in line
    assert "guess-5683" not in line


@MODULES
def test_a_virtual_host_that_does_not_exist_is_refused(module: str, system: System) -> None:
    missing = urlunsplit(urlsplit(system.amqp_url)._replace(path="/no-such-host"))

    assert "has no virtual host 'no-such-host'" in refusal(system, module, amqp_url=missing)


@MODULES
def test_a_database_without_our_tables_is_refused(module: str, system: System, empty_database_url: str) -> None:
    assert refusal(system, module, database_url=empty_database_url).endswith("run `batchtask migrate`\n")


def refusal(system: System, module: str, **settings: str) -> str:
    """Start a process and return the one line it leaves."""
    part = system.start(module, settings)
    assert part.exit_code() == 2, part.output
    lines = part.output.splitlines(keepends=True)
    assert len(lines) == 1, part.output
    assert lines[0].startswith(f"batchtask {module}: ")
    return lines[0]
