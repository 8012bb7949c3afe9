"""Kills while mails are sent by a real worker to a real mail server: nobody gets two, and nobody is forgotten."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from batchtask.identifiers import TaskId
from projections.rows import State
from tests.email_merge_support import KEY, OWNER, Person, recipient_rows, rows, write_crm, write_template
from tests.mail_server import MailServer, running_mail_server
from tests.system import System
from worker.tasks.mail_merge.by_email.ledger import IN_DOUBT, ON_ITS_WAY

SEED = 20260413
PEOPLE = [Person(first=f"P{number:03}", last="Test") for number in range(120)]
SENT, DOUBTFUL, READY = 4, 0, 1


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_template(tmp_path / "archive", "mail.html", "<p>Hello {atfn} {atln}, number {snum}!</p>" * 20)
    return tmp_path / "archive"


def know(system: System, mails: MailServer) -> list[int]:
    with system.engine.begin() as connection:
        return write_crm(connection, PEOPLE, port=mails.port, username="kari")


def submit(system: System, people: list[int]) -> TaskId:
    parameters = {"template": "mail.html", "output": "email", "subject": "News", "mails_per_minute": 0}
    return system.producer.submit("mail-merge", parameters | {"person_ids": people}, owner=OWNER)


def wait_until_told(system: System, tasks: list[TaskId], expected: list[str]) -> None:
    """Wait until the tasks' logs hold every expected text: log lines come a moment behind the outcome."""

    def all_told() -> bool:
        told = [line for task_id in tasks for _, line in system.log_lines(task_id)]
        return all(any(text in line for line in told) for text in expected)

    system.wait(all_told)


def test_a_sender_killed_while_the_server_takes_a_mail_leaves_that_one_in_doubt_and_goes_on(
    system: System, archive: Path
) -> None:
    with running_mail_server(login=True) as mails:
        people = know(system, mails)
        worker = system.worker(max_tasks=1, archive_dir=archive, secret_keys=KEY)
        system.projections()
        worker.wait_ready()
        mails.accepted = lambda count: worker.kill_children() if count == 50 else None
        task_id = submit(system, people)
        row = system.wait_finished(task_id, seconds=60)

    assert (row["state"], row["response"]) == (State.Succeeded, "Sent 119 of 120; 1 in doubt")
    assert max(Counter(mails.recipients).values()) == 1
    assert len(mails.recipients) == 120
    [doubtful] = [address for address, found in recipient_rows(url(system)).items() if found["status"] == DOUBTFUL]
    assert doubtful == mails.recipients[49]
    wait_until_told(system, [task_id], [f"<{doubtful}>: {IN_DOUBT}"])
    assert len({str(message["Message-ID"]) for message in mails.messages}) == 120


def test_a_merge_cancelled_by_force_while_the_server_takes_a_mail_leaves_that_one_in_doubt(
    system: System, archive: Path
) -> None:
    """No attempt comes after it that could say so."""
    with running_mail_server(login=True) as mails:
        people = know(system, mails)
        system.worker(max_tasks=1, archive_dir=archive, secret_keys=KEY).wait_ready()
        system.projections()
        mails.accepted = lambda count: cancel_and_wait() if count == 50 else None
        task_id = submit(system, people)

        def cancel_and_wait() -> None:
            """In the server's thread: its answer never comes."""
            system.producer.cancel(task_id, requested_by=OWNER, force=True)
            system.wait_finished(task_id, seconds=60)

        system.wait_finished(task_id, seconds=60)

    found = recipient_rows(url(system))
    [doubtful] = [address for address, row in found.items() if row["status"] == DOUBTFUL]
    assert doubtful == mails.recipients[-1]
    assert found[doubtful]["bounce_reason"] == ON_ITS_WAY
    assert Counter(row["status"] for row in found.values()) == {SENT: 49, DOUBTFUL: 1, READY: 70}


def test_nobody_gets_two_mails_and_nobody_is_forgotten_while_senders_and_workers_are_killed_at_random(
    system: System, archive: Path
) -> None:
    chance = random.Random(SEED)
    settings = {"max_tasks": 4, "archive_dir": archive, "secret_keys": KEY}
    with running_mail_server(login=True) as mails:
        people = know(system, mails)
        worker = system.worker(**settings)
        system.projections(reconcile_seconds=1)
        worker.wait_ready()
        tasks = [submit(system, people[start::3]) for start in range(3)]
        system.wait(lambda: len(mails.messages) > 25)
        time.sleep(chance.uniform(0, 0.05))  # at any moment: that is the point
        worker.kill_children()
        system.wait(lambda: len(mails.messages) > 70)
        time.sleep(chance.uniform(0, 0.05))
        worker.kill()
        system.worker(**settings)
        system.wait_all_finished(tasks, seconds=90)

    got = Counter(mails.recipients)
    found = recipient_rows(url(system))
    assert max(got.values()) == 1
    assert len(found) == len(PEOPLE)
    assert {row["status"] for row in found.values()} <= {SENT, DOUBTFUL}
    assert {address for address, row in found.items() if row["status"] == SENT} <= set(got)
    doubtful = [address for address, row in found.items() if row["status"] == DOUBTFUL]
    assert len(doubtful) <= 6  # one for each kill and task
    for task_id in tasks:
        row = system.row(task_id)
        assert row is not None
        assert row["state"] == State.Succeeded, row
    wait_until_told(system, tasks, doubtful)
    mailings = rows(url(system), "SELECT sent_num, recipients FROM crm7.s_shipment")
    assert sum(mailing["sent_num"] for mailing in mailings) == len(PEOPLE) - len(doubtful)


def url(system: System) -> str:
    return system.engine.url.render_as_string(hide_password=False)
