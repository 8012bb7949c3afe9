"""`batchtask up`, as somebody runs it who has just cloned: servers, parts, a sample CRM and two who may log in."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from batchtask.cli.sample import sample_logins
from batchtask.database import make_engine
from tests.polling import eventually
from tests.system import ROOT

READY_SECONDS = 60


class Terminal:
    """What stands in the terminal of a running `batchtask up`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    @property
    def url(self) -> str:
        return re.findall(r"^Pages: (http\S+)$", self.text, re.MULTILINE)[0]

    def logins(self) -> dict[str, str]:
        return dict(re.findall(r"log in as (\w+) with (\S+) ", self.text))

    def wait_ready(self) -> None:
        eventually(lambda: "Ctrl-C stops" in self.text or self._process.poll() is not None, seconds=READY_SECONDS)
        assert self._process.poll() is None, self.text

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._lines.append(line)


@contextmanager
def up(data: Path, amqp_url: str) -> Iterator[Terminal]:
    """Run it with a database of its own, and end it as Ctrl-C does."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHTASK_")}
    environ |= {"BATCHTASK_AMQP_URL": amqp_url, "BATCHTASK_WEB_PORT": "0", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("batchtask"), "up", "--data", data],
        env=environ,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A terminal lets programs hear Ctrl-C; whoever runs tests in the background may not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    terminal = Terminal(process)
    try:
        terminal.wait_ready()
        yield terminal
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        terminal.close()


@contextmanager
def logged_in(terminal: Terminal, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=terminal.url) as browser:
        answer = browser.post("/login", data={"name": name, "password": terminal.logins()[name]})
        assert (answer.status_code, "failed" in answer.headers["location"]) == (303, False)
        yield browser


@pytest.mark.timeout(180)
def test_a_sample_crm_its_logins_and_their_sessions_outlive_a_restart(tmp_path: Path, amqp_url: str) -> None:
    data = tmp_path / "up"
    with (
        up(data, amqp_url) as terminal,
        logged_in(terminal, "IH") as administrator,
        logged_in(terminal, "MK") as user,
    ):
        logins, cookies = terminal.logins(), dict(user.cookies)
        assert list(logins) == ["IH", "MK"]
        assert administrator.get("/api/v2/me").json()["administrator"] is True
        assert user.get("/api/v2/me").json()["administrator"] is False
        report = {"name": "report", "parameters": {"report_id": 1}}
        task = user.post("/api/v2/tasks", json=report, headers={"X-XSRF-TOKEN": cookies["XSRF-TOKEN"]}).json()
        path = f"/api/v2/tasks/{task['id']}"
        eventually(lambda: user.get(path).json()["state"] == "succeeded", seconds=30)
        assert user.get(f"{path}/file").content.startswith(b"%PDF")
    with up(data, amqp_url) as terminal:
        assert terminal.logins() == logins
        assert httpx.get(terminal.url + path, cookies=cookies).json()["state"] == "succeeded"
    for file in ("logins.json", "secret-key"):
        assert stat.S_IMODE((data / file).stat().st_mode) == 0o600


def test_a_database_that_was_named_is_left_as_it_is(tmp_path: Path, database_url: str) -> None:
    engine = make_engine(database_url)
    assert sample_logins(engine, tmp_path, {"BATCHTASK_DATABASE_URL": database_url}) == []
    assert list(tmp_path.iterdir()) == []
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM crm7.associate").scalar_one() == 0
    engine.dispose()
