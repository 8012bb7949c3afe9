"""The inbox task in a real worker, which is killed while it fetches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from batchtask.local.dovecot import Dovecot
from tests.inbox_support import KARI, KEY, OWNER, Desk, letters
from tests.system import Part, System, running_system

MESSAGES = 3000


@pytest.fixture
def system(
    virtual_hosts: Callable[[], AbstractContextManager[str]], database_url: str, tmp_path: Path
) -> Iterator[System]:
    (tmp_path / "system").mkdir()
    with virtual_hosts() as amqp_url, running_system(amqp_url, database_url, tmp_path / "system") as system:
        yield system


@pytest.fixture
def worker(system: System, mail_server: Dovecot) -> Part:
    """A worker that has the key of the passwords, and trusts the mail server."""
    environ = {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
    system.projections()
    return system.start("worker", {"secret_keys": KEY}, environ=environ)


def test_a_child_that_is_killed_in_the_middle_of_a_folder_doubles_and_loses_nothing(
    system: System, worker: Part, mail_server: Dovecot, database_url: str, tmp_path: Path
) -> None:
    desk = Desk(database_url, tmp_path)
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(MESSAGES))
    task_id = system.producer.submit("inbox", owner=OWNER)
    for share in (300, 1200):
        system.wait(lambda: len(desk.rows("SELECT 1 FROM crm7.email_item")) >= share)  # noqa: B023 - used at once
        worker.kill_children()
    row = system.wait_finished(task_id, seconds=60)
    assert row["response"].startswith("1 of 1 mail account read: ")
    found = desk.rows("SELECT count(*) AS rows, count(DISTINCT messageid) AS ids FROM crm7.email_item")
    assert found == [{"rows": MESSAGES, "ids": MESSAGES}]
    assert len(system.attempts(task_id)) == 3


def test_the_user_reads_why_an_account_could_not_be_read(
    system: System, worker: Part, mail_server: Dovecot, database_url: str, tmp_path: Path
) -> None:
    Desk(database_url, tmp_path).account(mail_server.port, password="wrong")
    task_id = system.producer.submit("inbox", owner=OWNER)
    row = system.wait_finished(task_id)
    assert row["response"] == (
        f"kari@example.test: The mail server localhost:{mail_server.port} refused the user name or password of "
        "kari@example.test: enter it anew."
    )
    system.wait(lambda: [line for _, line in system.log_lines(task_id)] == [row["response"]])
