"""Tasks that are killed in the middle go on there: every row once, every letter once, no mail twice."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from batchtask import crm7
from batchtask.demo.sample_crm import load_sample_crm, write_sample_template
from batchtask.events import CheckpointSaved, TaskFailed
from batchtask.identifiers import TaskId
from projections.rows import State
from tests.mail_merge_support import Merged
from tests.mailbox import Mailbox, running_mailbox
from tests.outcome import assert_all_succeeded, assert_one_end
from tests.system import System
from tests.tally import make_tally, tallied

SEED = 20260501
RECIPIENTS = 2000
MAILS = 100


def test_rows_in_batches_are_there_once_while_children_and_workers_are_killed_at_random(system: System) -> None:
    make_tally(system)
    chance = random.Random(SEED)
    system.projections()
    workers = [system.worker(max_tasks=3), system.worker(max_tasks=3)]
    for worker in workers:
        worker.wait_ready()
    ids = [system.producer.submit("batches", {"rows": 1500}) for _ in range(4)]
    kills = 0
    while not all_ended(system, ids):
        time.sleep(chance.uniform(0.05, 0.4))  # at any moment: that is the point
        victim = chance.randrange(2)
        if kills >= 10:
            continue
        if chance.random() < 0.3:
            workers[victim].kill()
            workers[victim] = system.worker(max_tasks=3)
        else:
            workers[victim].kill_children()
        kills += 1

    system.wait_all_finished(ids, seconds=30)

    assert_all_succeeded(system, ids)
    assert tallied(system) == sorted((task_id, step) for task_id in ids for step in range(1500))
    assert sum(len(system.attempts(task_id)) for task_id in ids) > len(ids)


def test_a_mail_merge_whose_child_and_worker_are_killed_makes_the_same_document(
    system: System, tmp_path: Path
) -> None:
    template = tmp_path / "letter.docx"
    write_sample_template(template)
    parameters = {
        "template": str(template),
        "contact_ids": companies(system, RECIPIENTS),
        "include_person": "none",
        "file_name": "letters",
        "letter_date": "2026-03-01",
    }
    worker = system.worker(max_tasks=1, archive_dir=tmp_path)
    system.projections()
    worker.wait_ready()
    whole = system.producer.submit("mail-merge", parameters)
    answer = system.wait_finished(whole, seconds=60)["response"]

    killed = system.producer.submit("mail-merge", parameters)
    system.wait(lambda: drafted_bytes(system, killed) > 1_000_000)
    worker.kill_children()
    system.wait(lambda: drafted_bytes(system, killed) > 4_000_000)
    worker.kill()
    system.worker(max_tasks=1, archive_dir=tmp_path)
    row = system.wait_finished(killed, seconds=60)

    assert (row["state"], row["response"]) == (State.Succeeded, answer)
    assert Merged(result(system, killed)).parts == Merged(result(system, whole)).parts
    assert len(Merged(result(system, killed)).sections) > RECIPIENTS * 0.9
    assert len(system.attempts(killed)) == 3
    # What the killed worker had not yet written of its log is gone with it.
    assert any(line.startswith("going on behind letter") for _, line in system.log_lines(killed))
    assert [found.name for found in result(system, killed).parent.iterdir()] == ["letters.docx"]


def test_nobody_gets_two_mails_and_nobody_none_while_the_sender_is_killed_at_random(system: System) -> None:
    with running_mailbox() as mailbox:
        task_id = kill_sender(system, "mails", mailbox, kills=8)
        messages = list(mailbox.messages)

    assert_all_succeeded(system, [task_id])
    assert True in mailbox.answers  # some kills hit between a mail and its outcome
    assert Counter(messages) == Counter(f"<{number}.{task_id}@tests.example>" for number in range(MAILS))
    assert len(system.attempts(task_id)) > 5


def test_nobody_gets_two_mails_where_nobody_can_be_asked(system: System) -> None:
    """Then the task gives up and says so; how far it came, the ledger knows."""
    with running_mailbox() as mailbox:
        task_id = kill_sender(system, "mails-unasked", mailbox, kills=8)
        messages = list(mailbox.messages)

    assert max(Counter(messages).values()) == 1
    assert_one_end(system.store.load(task_id))
    ended = system.history(task_id)[-1]
    if isinstance(ended, TaskFailed):  # nearly always
        assert ended.message.startswith("It is not known whether '<")


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_frozen_worker_that_thaws_after_another_one_took_over_changes_nothing(system: System) -> None:
    make_tally(system)
    quick = {"heartbeat_seconds": 0.3, "lease_seconds": 1.5}
    frozen = system.worker(**quick)
    system.projections(reconcile_seconds=0.3, **quick)
    frozen.wait_ready()
    task_id = system.producer.submit("tally-leased", {"steps": 60, "seconds": 0.05})
    system.wait(lambda: len(tallied(system)) > 5)
    group = [psutil.Process(frozen.pid), *psutil.Process(frozen.pid).children(recursive=True)]
    for process in group:
        process.send_signal(signal.SIGSTOP)
    second = system.worker(**quick)
    second.wait_ready()
    system.wait_finished(task_id, seconds=60)
    before = system.store.load(task_id)

    for process in group:
        process.send_signal(signal.SIGCONT)

    system.wait(lambda: "lease lost" in frozen.output)
    assert system.store.load(task_id) == before
    assert_all_succeeded(system, [task_id])
    assert tallied(system) == [(task_id, step) for step in range(60)]
    fences = [event.fence for event in system.history(task_id) if isinstance(event, CheckpointSaved)]
    assert set(fences) == {1, 2}
    assert fences == sorted(fences)


def kill_sender(system: System, name: str, mailbox: Mailbox, *, kills: int) -> TaskId:
    """Let a task send mails, kill its process while it does, again and again, and wait for its end."""
    chance = random.Random(SEED)
    worker = system.worker(max_tasks=1)
    system.projections()
    worker.wait_ready()
    task_id = system.producer.submit(name, {"port": mailbox.port, "recipients": MAILS})
    for _ in range(kills):
        reached = len(mailbox.messages)
        system.wait(lambda reached=reached: len(mailbox.messages) > reached or all_ended(system, [task_id]))  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.04))  # at any moment: that is the point
        worker.kill_children()
    system.wait_finished(task_id, seconds=60)
    return task_id


def all_ended(system: System, ids: list[TaskId]) -> bool:
    states = system.states()
    return all(states.get(task_id) in {State.Succeeded, State.Failed} for task_id in ids)


def companies(system: System, count: int) -> list[int]:
    """Fill the CRM with the sample, and with copies of its companies until there are so many."""
    with system.engine.begin() as connection:
        load_sample_crm(connection)
        known = connection.execute(select(func.count()).select_from(crm7.contact)).scalar_one()
        for copy in range(1, 1 + count // known):
            for table, key, owner in ((crm7.contact, "contact_id", ""), (crm7.address, "address_id", "owner_id")):
                moved = {key, owner}
                columns = [
                    (column + copy * 1_000_000).label(column.name) if column.name in moved else column
                    for column in table.c
                ]
                whose = table.c.atype_idx.in_([1, 2]) if owner else table.c.contact_id > 0
                original = select(*columns).where(whose, table.c[owner or key] < 1_000_000)
                connection.execute(table.insert().from_select([column.name for column in table.c], original))
        return list(connection.execute(select(crm7.contact.c.contact_id)).scalars())


def drafted_bytes(system: System, task_id: TaskId) -> int:
    """How much of a mail merge is written, over all its attempts."""
    folder = system.directory / "files" / str(task_id)
    return sum(draft.stat().st_size for draft in folder.glob(".letters-*/draft"))


def result(system: System, task_id: TaskId) -> Path:
    row = system.row(task_id)
    assert row is not None
    return Path(row["filename"])
