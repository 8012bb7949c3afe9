"""An operator finds what died, learns why, and lets it begin anew: by the command line, through real processes."""

from __future__ import annotations

import pika

from batchtask.events import AttemptStarted, CancelRefused, TaskFailed, TaskReplayed, TaskSucceeded
from batchtask.identifiers import TaskId, new_task_id
from batchtask.topology import TASKS_QUEUE
from projections.rows import State
from tests.command_line import batchtask
from tests.system import System


def test_a_failed_task_is_inspected_and_replayed_with_a_mended_parameter(running: System) -> None:
    trace = running.directory / "mended"
    task_id = running.producer.submit("append", {"path": "/no/such/folder/trace"}, owner=71)
    running.wait_finished(task_id)

    [dead] = batchtask(running, "dead", "list", "--owner", 71, "--json").json
    assert (dead["task_id"], dead["cause"], dead["startcount"]) == (str(task_id), "error", 1)
    told = batchtask(running, "dead", "show", dead["batchtask_id"])
    assert "Attempt 1  failed: error" in told.text
    assert "FileNotFoundError" in told.text
    answer = batchtask(running, "dead", "replay", task_id, "--set", f"path={trace}", "--by", 17)
    assert (answer.code, answer.complaint) == (0, "")

    row = running.wait_finished(task_id)
    assert (row["state"], row["startcount"]) == (State.Succeeded, 2)
    assert trace.read_text() == f"{task_id}\n"
    kinds = [type(event) for event in running.history(task_id)]
    assert [kind for kind in kinds if kind in {AttemptStarted, TaskFailed, TaskReplayed, TaskSucceeded}] == [
        AttemptStarted,
        TaskFailed,
        TaskReplayed,
        AttemptStarted,
        TaskSucceeded,
    ]
    assert [one.requested_by for one in running.history(task_id) if isinstance(one, TaskReplayed)] == [17]
    assert batchtask(running, "dead", "list", "--owner", 71, "--json").json == []


def test_many_tasks_are_replayed_by_a_filter_after_a_question(running: System) -> None:
    failed = [running.producer.submit("refuse", owner=72) for _ in range(3)]
    stopped = new_task_id()
    running.producer.submit("gate", {"path": str(running.trace(stopped))}, owner=72, task_id=stopped)
    running.wait_started(stopped)
    running.producer.cancel(stopped, requested_by=72)
    running.wait_finished(*failed, stopped)
    chosen = ("dead", "replay", "--owner", 72, "--since", "1h")

    plan = batchtask(running, *chosen, "--dry-run", "--json").json
    assert set(plan["would_replay"]) == set(map(str, failed))
    refused = batchtask(running, *chosen, typed="n\n")
    assert (refused.code, "Replay 3 tasks?" in refused.complaint) == (1, True)
    assert not any(is_replayed(running, task_id) for task_id in failed)

    answer = batchtask(running, *chosen, "--yes", "--json")
    assert set(answer.json["replayed"]) == set(map(str, failed))
    running.wait(lambda: all(ended_twice(running, task_id) for task_id in failed))
    assert not is_replayed(running, stopped)


def test_what_cannot_be_replayed_is_refused_in_one_sentence(running: System) -> None:
    task_id = running.producer.submit("noop")
    running.wait_finished(task_id)

    done = batchtask(running, "dead", "replay", task_id)
    assert done.complaint == (
        f"batchtask: task {task_id} has succeeded; only one that failed or was stopped can be replayed\n"
    )
    assert done.code == 2
    plan = batchtask(running, "dead", "replay", task_id, "--dry-run")
    assert (plan.code, plan.complaint) == (2, done.complaint)
    assert batchtask(running, "dead", "replay", new_task_id()).code == 3
    for words in ((), (task_id, "--all"), ("--cause", "bad luck"), ("--since", "soon"), (task_id, "--set", "rows")):
        answer = batchtask(running, "dead", "replay", *words)
        assert (answer.code, answer.complaint.count("\n")) == (2, 1), words


def test_messages_without_a_task_are_kept_and_shown(running: System) -> None:
    with pika.BlockingConnection(pika.URLParameters(running.amqp_url)) as connection:
        connection.channel().basic_publish("", TASKS_QUEUE.name, b"poison of this test")
    running.wait(lambda: running.dead_letters(body=b"poison of this test"))

    letters = batchtask(running, "dead", "messages", "--json").json
    assert letters[0]["queue"] == TASKS_QUEUE.name
    assert letters[0]["reason"].startswith("not a CloudEvents envelope")


def is_replayed(system: System, task_id: TaskId) -> bool:
    return any(isinstance(event, TaskReplayed) for event in system.history(task_id))


def ended_twice(system: System, task_id: TaskId) -> bool:
    return sum(isinstance(event, TaskFailed) for event in system.history(task_id)) == 2


def test_a_forced_stop_from_before_a_replay_kills_nothing_after_it(running: System) -> None:
    task_id = running.submit_traced("unstoppable")
    running.wait_started(task_id)
    running.producer.cancel(task_id, force=True)
    running.wait_finished(task_id)
    assert batchtask(running, "dead", "replay", task_id).code == 0
    running.wait_started(task_id, attempts=2)

    running.producer.cancel(task_id)  # it cannot be cancelled, and is not
    running.wait(lambda: any(isinstance(event, CancelRefused) for event in running.history(task_id)))
    running.open_gates(task_id)

    assert running.wait_finished(task_id)["state"] == State.Succeeded
