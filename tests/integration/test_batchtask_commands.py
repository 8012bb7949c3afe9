"""Commands through the SuperOffice-compatible API, before a real broker: what each answers to whom, and does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from batchtask.definitions import CancellationBehaviour
from batchtask.errors import WrongExpectedVersion
from batchtask.events import (
    AttemptStarted,
    CancelRequested,
    Event,
    ProgressReported,
    TaskAmended,
    TaskCancelled,
    TaskFailed,
    TaskReplayed,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from tests.polling import eventually
from tests.system import untimed
from tests.web_support import ADMIN, KARI, OLA, append, calling, record
from tests.web_system import WebSystem, web_system

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
SUCCEEDED = (STARTED, TaskSucceeded(fence=1, response="5 letters", file_name="letters.docx"))
FAILED = (STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))
CANNOT = int(CancellationBehaviour.CannotCancel)
UNKNOWN = 2_000_000_000

Borrow = Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def web(virtual_hosts: Borrow, databases: Borrow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSystem]:
    with web_system(virtual_hosts, databases, tmp_path_factory.mktemp("compatible")) as web:
        yield web


def call(web: WebSystem, who: str, method: str, path: str, body: Any = None, **headers: str) -> Response:
    return web.client.request(method, f"/api/v1/{path}", json=body, headers=calling(who) | headers)


def shown(web: WebSystem, number: int) -> dict[str, Any]:
    answer = call(web, "admin", "GET", f"BatchTask/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def task(web: WebSystem, *events: Event, **submitted: Any) -> tuple[TaskId, int]:
    """A task of Kari's with a history; its id and its number."""
    task_id = record(web.system.engine, *events, **submitted)
    row = web.system.row(task_id)
    assert row is not None
    return task_id, row["batchtask_id"]


def kinds(web: WebSystem, task_id: TaskId) -> list[type[Event]]:
    return [type(event) for event in web.system.history(task_id)]


# Who may do what. Each call, by whom, on a task of Kari's in which state.

OPEN, ENDED, NONE = "open", "ended", "none"
Command = Callable[[int], tuple[str, str, Any]]  #: method, path and body of a call, for the number of a task


def stop(number: int) -> tuple[str, str, Any]:
    return "POST", f"BatchTask/{number}/Stop", None


def stop_by_agent(number: int) -> tuple[str, str, Any]:
    return "POST", "Agents/Batch/StopBatchJob", {"Id": number}


def put(number: int) -> tuple[str, str, Any]:
    return "PUT", f"BatchTask/{number}", {"Response": "Seen."}


def update(number: int) -> tuple[str, str, Any]:
    return "POST", "Agents/Batch/UpdateBatchTask", {"BatchTaskInfo": {"Id": number, "Response": "Seen."}}


def delete(number: int) -> tuple[str, str, Any]:
    return "DELETE", f"BatchTask/{number}", None


def delete_by_agent(number: int) -> tuple[str, str, Any]:
    return "POST", "Agents/Batch/DeleteBatchTask", {"BatchTaskId": number}


def delete_several(number: int) -> tuple[str, str, Any]:
    return "POST", "Agents/Batch/DeleteBatchTasks", {"BatchTaskIds": [number]}


def delete_modern(number: int) -> tuple[str, str, Any]:
    return "DELETE", f"../v2/tasks/{number}", None


#: For whom may see the task: open, ended; and for whom may not, or when there is none.
ANSWERS: list[tuple[Command, int, int, int]] = [
    (stop, 200, 200, 400),
    (stop_by_agent, 200, 200, 404),
    (put, 200, 200, 404),
    (update, 200, 200, 404),
    (delete, 409, 204, 404),
    (delete_by_agent, 409, 204, 404),
    (delete_several, 409, 204, 404),
    (delete_modern, 409, 204, 404),
]


@pytest.mark.parametrize(("command", "when_open", "when_ended", "hidden"), ANSWERS)
@pytest.mark.parametrize("who", ["kari", "ola", "admin"])
def test_who_may_do_what_with_whose_task_in_which_state(
    web: WebSystem, command: Command, when_open: int, when_ended: int, *, hidden: int, who: str
) -> None:
    expected = {OPEN: when_open, ENDED: when_ended, NONE: hidden}
    numbers = {OPEN: task(web)[1], ENDED: task(web, *SUCCEEDED)[1], NONE: UNKNOWN}
    for state, number in numbers.items():
        answer = call(web, who, *command(number))
        status = hidden if who == "ola" else expected[state]
        assert answer.status_code == status, (state, answer.text)
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert str(number) in answer.json()["detail"]
    if who == "ola":
        assert [shown(web, number)["State"] for number in list(numbers.values())[:2]] == ["New", "Succeeded"]


@pytest.mark.parametrize("command", [answer[0] for answer in ANSWERS])
def test_system_tasks_are_for_administrators(web: WebSystem, command: Command) -> None:
    _, number = task(web, *SUCCEEDED, owner=0)
    assert call(web, "kari", *command(number)).status_code in {400, 404}
    assert call(web, "admin", *command(number)).status_code in {200, 204}


# Creating


CREATED = [
    ("BatchTask", lambda body: body),
    ("Agents/Batch/StartBatchJob", lambda body: {"BatchTaskInfo": body}),
]


@pytest.mark.parametrize(("path", "wrapped"), CREATED)
def test_a_created_task_answers_its_bare_id_and_can_be_read_at_once(
    web: WebSystem, path: str, wrapped: Callable[[Any], Any]
) -> None:
    body = {
        "Name": "MailMerge", "Description": "Autumn letter, 240 recipients", "Request": "240 recipients",
        "ParameterObject": {
            "templateId": "4711", "SelectionId": "88", "contact_ids": "[1, 2]", "output": "pdf",
            "separateFiles": "true", "Heading": "[1]",
        },
        "DetailsTable": 5, "DetailsRecord": 9001, "DatabaseSerialNumber": "1234567890",
        "Id": 17, "State": "Succeeded", "StartCount": 9, "Created": "0001-01-01T00:00:00", "Whatever": {},
        "AssociateId": 0, "IsSystemTask": False,
    }  # fmt: skip
    answer = call(web, "kari", "POST", path, wrapped(body))
    assert (answer.status_code, type(answer.json())) == (200, int), answer.text
    seen = call(web, "kari", "GET", f"BatchTask/{answer.json()}").json()
    expected = {
        "Id": answer.json(), "Name": "mail-merge", "State": "New", "StartCount": 0, "AssociateId": KARI,
        "Description": "Autumn letter, 240 recipients", "Request": "240 recipients", "Response": "",
        "DetailsTable": 5, "DetailsRecord": 9001, "DatabaseSerialNumber": "1234567890", "IsSystemTask": False,
        "ParameterObject": {
            "template_id": "4711", "selection_id": "88", "contact_ids": "[1,2]", "output": "pdf",
            "separate_files": "true", "heading": "[1]",
        },
    }  # fmt: skip
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("who", "body", "status", "owner"),
    [
        ("kari", {}, 200, KARI),
        ("kari", {"AssociateId": KARI}, 200, KARI),
        ("kari", {"AssociateId": OLA}, 403, None),
        ("kari", {"IsSystemTask": True}, 403, None),
        ("admin", {}, 200, ADMIN),
        ("admin", {"AssociateId": 0}, 200, ADMIN),
        ("admin", {"AssociateId": OLA}, 200, OLA),
        ("admin", {"IsSystemTask": True}, 200, 0),
        ("admin", {"IsSystemTask": True, "AssociateId": OLA}, 200, 0),
    ],
)
def test_whose_task_it_becomes(
    web: WebSystem, who: str, body: dict[str, Any], status: int, owner: int | None
) -> None:
    answer = call(web, who, "POST", "BatchTask", {"Name": "sleep", "ParameterObject": {"seconds": "1"}} | body)
    assert answer.status_code == status, answer.text
    if owner is not None:
        info = shown(web, answer.json())
        assert (info["AssociateId"], info["IsSystemTask"]) == (owner, owner == 0)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Name: say which task"),
        ({"Name": None}, "Name: say which task"),
        ({"Name": "MailMerger"}, "installed tasks: "),
        ({"Name": "sleep", "ParameterObject": {"seconds": "soon"}}, "seconds"),
        ({"Name": "sleep", "ParameterObject": {"Seconds": "1", "seconds": "2"}}, "two spellings"),
        ({"Name": "report", "ParameterObject": {"reportId": "1", "restrictions": "[{]"}}, "restrictions"),
        ({"Name": "report", "ParameterObject": {"report_id": "1", "color": "red"}}, "color"),
        ({"Name": "sleep", "Description": "a\0b"}, "Description"),
        ({"Name": "sleep", "DetailsTable": 40_000}, "details_table"),
        ({"Name": "sleep", "AssociateId": "me"}, "AssociateId"),
        ([], "object"),
    ],
)
def test_what_cannot_be_created_is_refused_in_a_sentence(web: WebSystem, body: Any, says: str) -> None:
    answer = call(web, "kari", "POST", "BatchTask", body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]


def test_an_idempotency_key_makes_one_task_of_repetitions(web: WebSystem) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    body = {"Name": "Sleep", "ParameterObject": {"seconds": "1"}, "Description": "Once"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call(web, "kari", "POST", "BatchTask", body, **key), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json() for answer in answers}) == 1
    assert call(web, "kari", "POST", "BatchTask", body | {"Description": "Twice"}, **key).status_code == 422
    assert call(web, "ola", "POST", "BatchTask", body, **key).json() != answers[0].json()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("text/json; charset=utf-8", 200),
        ("application/json-patch+json", 200),
        ("application/merge-patch+json", 200),
        ("application/xml", 415),
        ("text/xml", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_bodies_are_json_whatever_of_the_originals_json_types_is_named(
    web: WebSystem, content_type: str, status: int
) -> None:
    for path, content in [("BatchTask", '{"Name":"sleep"}'), ("Agents/Saint/RegenerateCounters", "{}")]:
        headers = calling("kari") | {"Content-Type": content_type}
        answer = web.client.post(f"/api/v1/{path}", content=content, headers=headers)
        assert answer.status_code in {status, 403} - ({403} if status == 415 else set()), answer.text
        if status == 415:
            assert "send `Content-Type: application/json`" in answer.json()["detail"]


# Stopping


def test_stopping_a_task_that_waits_ends_it_before_the_answer(web: WebSystem) -> None:
    task_id, number = task(web)
    assert call(web, "kari", *stop(number)).json() is True
    assert shown(web, number)["State"] == "Failed"
    assert kinds(web, task_id)[1:] == [CancelRequested, TaskCancelled]
    assert call(web, "kari", *stop(number)).json() is False


def test_stopping_a_task_that_runs_answers_when_the_wish_stands_and_repeating_it_is_harmless(web: WebSystem) -> None:
    task_id, number = task(web, STARTED)
    assert call(web, "kari", *stop(number)).json() is True
    assert untimed(web.system.history(task_id))[2:] == [CancelRequested(requested_by=KARI)]
    assert call(web, "admin", *stop_by_agent(number)).json() is True
    assert kinds(web, task_id).count(CancelRequested) == 1
    assert shown(web, number)["State"] == "Started"


@pytest.mark.parametrize(
    "events", [SUCCEEDED, FAILED, (CancelRequested(requested_by=7), TaskCancelled(requested_by=7))]
)
def test_what_has_ended_cannot_be_stopped(web: WebSystem, events: tuple[Event, ...]) -> None:
    task_id, number = task(web, *events)
    assert call(web, "kari", *stop(number)).json() is False
    assert len(web.system.history(task_id)) == len(events) + 1


def test_a_task_that_cannot_be_cancelled_is_not_stopped(web: WebSystem) -> None:
    task_id, number = task(web, STARTED, cancellation=CANNOT)
    assert call(web, "kari", *stop(number)).json() is False
    assert kinds(web, task_id)[1:] == [AttemptStarted]


# Updating


def test_an_update_writes_four_properties_and_ignores_the_rest(web: WebSystem) -> None:
    task_id, number = task(web, STARTED, ProgressReported(fence=1, percent=40, text="Letter 2"), description="Before")
    before = shown(web, number)
    wanted = {"Description": "After", "Request": "Hurry", "Response": "Soon"}
    ignored = {"Id": 1, "Name": "report", "ProgressPercent": 99, "AssociateId": OLA, "FileName": "x", "StartCount": 7}
    answer = call(web, "kari", "PUT", f"BatchTask/{number}", wanted | ignored)
    assert answer.status_code == 200, answer.text
    assert answer.json() == before | wanted == shown(web, number)
    assert web.system.history(task_id)[-1] == TaskAmended(
        requested_by=KARI, description="After", request="Hurry", response="Soon"
    )


def test_what_was_read_and_is_sent_back_changes_nothing_not_even_what_was_cut(web: WebSystem) -> None:
    task_id, number = task(web, *SUCCEEDED, description="ø" * 300)
    info = shown(web, number)
    assert len(info["Description"]) == 254
    assert call(web, "kari", "PUT", f"BatchTask/{number}", info).json() == info
    assert TaskAmended not in kinds(web, task_id)
    long = info | {"Response": "é" * 1000}
    assert call(web, "kari", "PUT", f"BatchTask/{number}", long).json()["Response"] == "é" * 253 + "…"
    assert web.system.history(task_id)[-1] == TaskAmended(requested_by=KARI, response="é" * 1000)
    call(web, "kari", "PUT", f"BatchTask/{number}", {"Response": ""})
    assert shown(web, number)["Response"] == ""


@pytest.mark.parametrize(
    ("events", "sent", "status", "becomes"),
    [
        ((), "New", 200, "New"),
        ((), "Started", 200, "New"),  # of all open ones it is the server's business which
        ((STARTED,), "Started", 200, "Started"),
        ((STARTED,), 3, 200, "Started"),
        ((STARTED,), "Unknown", 200, "Started"),
        ((STARTED,), "", 200, "Started"),
        ((), "failed", 200, "Failed"),
        ((STARTED,), "Failed", 200, "Started"),  # until it stops
        ((STARTED,), "Succeeded", 409, "Started"),
        ((STARTED,), "SucceededManualCleanup", 409, "Started"),
        (SUCCEEDED, "Succeeded", 200, "Succeeded"),
        (SUCCEEDED, "SucceededManualCleanup", 200, "SucceededManualCleanup"),
        (SUCCEEDED, 6, 200, "SucceededManualCleanup"),
        (SUCCEEDED, "Failed", 409, "Succeeded"),
        (SUCCEEDED, "New", 409, "Succeeded"),
        ((*SUCCEEDED, TaskAmended(requested_by=1, manual_cleanup=True)), "Succeeded", 409, "SucceededManualCleanup"),
        (FAILED, "Failed", 200, "Failed"),
        (FAILED, "Succeeded", 409, "Failed"),
        (FAILED, "New", 409, "Failed"),
        (FAILED, "SucceededManualCleanup", 409, "Failed"),
        (FAILED, "All", 409, "Failed"),
        (FAILED, "Stopped", 400, "Failed"),
        (FAILED, 42, 400, "Failed"),
    ],
)
def test_which_states_a_task_can_be_given(
    web: WebSystem, events: tuple[Event, ...], sent: str | int, status: int, becomes: str
) -> None:
    _, number = task(web, *events)
    answer = call(web, "kari", "PUT", f"BatchTask/{number}", {"State": sent})
    assert answer.status_code == status, answer.text
    assert shown(web, number)["State"] == becomes
    if status == 200:
        assert answer.json()["State"] == becomes
    if status == 409:
        assert f"task {number} is {becomes}, and cannot be made" in answer.json()["detail"]


def test_making_an_open_task_failed_stops_it_and_leaves_the_response_that_was_sent(web: WebSystem) -> None:
    task_id, number = task(web)
    answer = call(web, "kari", "PUT", f"BatchTask/{number}", {"State": "Failed", "Response": "stopped by hand"})
    assert (answer.json()["State"], answer.json()["Response"]) == ("Failed", "stopped by hand")
    assert untimed(web.system.history(task_id))[1:] == [
        CancelRequested(requested_by=KARI, reason="stopped by hand"),
        TaskCancelled(requested_by=KARI),
        TaskAmended(requested_by=KARI, response="stopped by hand"),
    ]


def test_a_task_that_cannot_be_cancelled_cannot_be_made_failed(web: WebSystem) -> None:
    task_id, number = task(web, STARTED, cancellation=CANNOT)
    answer = call(web, "kari", "PUT", f"BatchTask/{number}", {"State": "Failed", "Response": "no"})
    assert answer.status_code == 409
    assert "cannot be stopped" in answer.json()["detail"]
    assert kinds(web, task_id)[1:] == [AttemptStarted]


def test_a_task_that_runs_has_the_last_word_on_its_response_but_not_on_its_description(web: WebSystem) -> None:
    task_id, number = task(web, STARTED)
    call(web, "kari", "PUT", f"BatchTask/{number}", {"Response": "Wait for it", "Description": "Mine"})
    append(web.system.engine, task_id, [TaskSucceeded(fence=1, response="5 letters")], after=2)
    info = shown(web, number)
    assert (info["State"], info["Response"], info["Description"]) == ("Succeeded", "5 letters", "Mine")


def test_of_updates_at_once_each_is_kept_in_the_history_and_the_last_is_shown(web: WebSystem) -> None:
    task_id, number = task(web, STARTED)
    texts = [f"version {count}" for count in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda text: call(web, "kari", "PUT", f"BatchTask/{number}", {"Response": text}), texts)
        )
    assert {answer.status_code for answer in answers} == {200}
    written = [event.response for event in web.system.history(task_id) if isinstance(event, TaskAmended)]
    assert sorted(map(str, written)) == texts
    assert shown(web, number)["Response"] == written[-1]


def test_an_update_while_the_task_ends_loses_neither(web: WebSystem) -> None:
    for count in range(5):
        task_id, number = task(web, STARTED)
        barrier = threading.Barrier(2)

        def end(task_id: TaskId = task_id, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            end_task = [TaskSucceeded(fence=1, response="5 letters")]
            try:
                append(web.system.engine, task_id, end_task, after=1)
            except WrongExpectedVersion:  # then it looks again, as a worker does
                append(web.system.engine, task_id, end_task, after=2)

        ending = threading.Thread(target=end)
        ending.start()
        barrier.wait()
        answer = call(web, "kari", "PUT", f"BatchTask/{number}", {"Description": f"Update {count}"})
        ending.join()
        assert answer.status_code == 200, answer.text
        assert sorted(kind.__name__ for kind in kinds(web, task_id)[2:]) == ["TaskAmended", "TaskSucceeded"]
        eventually(lambda number=number, count=count: (
            (shown(web, number)["State"], shown(web, number)["Description"]) == ("Succeeded", f"Update {count}")
        ))  # fmt: skip


@pytest.mark.parametrize("text", ["a\0b", "x" * 32_001])
def test_a_text_that_cannot_be_kept_is_refused_and_nothing_is_written(web: WebSystem, text: str) -> None:
    task_id, number = task(web, STARTED)
    answer = call(web, "kari", "PUT", f"BatchTask/{number}", {"Description": "fine", "Response": text})
    assert answer.status_code == 400
    assert "Response" in answer.json()["detail"]
    assert TaskAmended not in kinds(web, task_id)


def test_an_update_by_agent_nulls_what_was_not_selected(web: WebSystem) -> None:
    _, number = task(web, STARTED)
    path = "Agents/Batch/UpdateBatchTask"
    answer = call(web, "kari", "POST", f"{path}?$select=id,Response", update(number)[2]).json()
    assert {name: value for name, value in answer.items() if value is not None} == {"Id": number, "Response": "Seen."}
    assert call(web, "kari", "POST", f"{path}?$select=Color", update(number)[2]).status_code == 400
    nameless = call(web, "kari", "POST", path, {"BatchTaskInfo": {"Response": "Seen."}})
    assert (nameless.status_code, nameless.json()["detail"]) == (400, "BatchTaskInfo.Id: say which task to update")


def test_an_amended_failure_is_still_found_among_the_dead_and_its_file_behind_a_success(web: WebSystem) -> None:
    dead, _ = task(web, *FAILED)
    done, _ = task(web, *SUCCEEDED)
    for task_id in (dead, done):
        assert web.client.put(
            f"/api/v1/BatchTask/{task_id}", json={"Response": "Seen."}, headers=calling("kari")
        ).status_code == 200  # fmt: skip
    found = {one["task_id"]: one for one in web.get("admin", "dead", limit=100).json()["tasks"]}
    assert (found[str(dead)]["cause"], found[str(dead)]["message"]) == ("error", "Seen.")
    folder = web.system.directory / "files" / str(done)
    folder.mkdir(parents=True)
    (folder / "letters.docx").write_bytes(b"letters")
    assert web.get("kari", f"tasks/{done}/file").content == b"letters"


# Deleting


def test_a_deleted_task_is_gone_with_its_history_its_log_and_its_files(web: WebSystem) -> None:
    task_id, number = task(web, *SUCCEEDED)
    folder = web.system.directory / "files" / str(task_id)
    folder.mkdir(parents=True)
    (folder / "letters.docx").write_bytes(b"letters")
    answer = call(web, "kari", *delete(number))
    assert (answer.status_code, answer.content) == (204, b"")
    assert web.system.history(task_id) == []
    assert web.system.row(task_id) is None
    assert not folder.exists()
    assert call(web, "kari", *delete(number)).status_code == 404


def test_where_nothing_is_answered_any_type_may_be_asked_for(web: WebSystem) -> None:
    numbers = [task(web, *SUCCEEDED)[1] for _ in range(2)]
    assert call(web, "kari", *delete(numbers[0]), Accept="application/xml").status_code == 204
    path, body = "Agents/Batch/DeleteBatchTask", {"BatchTaskId": numbers[1]}
    assert call(web, "kari", "POST", path, body, Accept="text/xml").status_code == 204
    # What is refused is a problem all the same.
    gone = call(web, "kari", "POST", path, body, Accept="text/xml")
    assert (gone.status_code, gone.headers["Content-Type"]) == (404, "application/problem+json")


def test_of_several_all_are_deleted_or_none(web: WebSystem) -> None:
    ended, other = task(web, *SUCCEEDED)[1], task(web, *FAILED)[1]
    open_, olas = task(web)[1], task(web, *SUCCEEDED, owner=OLA)[1]
    path = "Agents/Batch/DeleteBatchTasks"
    refused = call(web, "kari", "POST", path, {"BatchTaskIds": [ended, open_, other]})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"not ended yet: {open_}. Nothing was removed; stop what is open first",
    )
    for hidden in (olas, UNKNOWN, -1):
        assert call(web, "kari", "POST", path, {"BatchTaskIds": [ended, hidden]}).status_code in {400, 404}
    assert shown(web, ended)["State"] == "Succeeded"
    assert call(web, "kari", "POST", path, {"BatchTaskIds": [ended, other, ended]}).status_code == 204
    assert call(web, "kari", "POST", path, {"BatchTaskIds": []}).status_code == 204
    for number in (ended, other):
        assert call(web, "kari", "GET", f"BatchTask/{number}").status_code == 404


def test_of_a_deletion_and_a_replay_at_once_one_wins(web: WebSystem) -> None:
    for _ in range(5):
        task_id, number = task(web, *FAILED)
        with ThreadPoolExecutor(2) as pool:
            deleted = pool.submit(call, web, "admin", *delete(number))
            replayed = pool.submit(web.post, "admin", f"tasks/{task_id}/replay")
        assert (deleted.result().status_code, replayed.result().status_code) in {(204, 404), (409, 202)}
        history, row = kinds(web, task_id), web.system.row(task_id)
        if deleted.result().status_code == 204:
            assert (history, row) == ([], None)
        else:
            assert history[3] is TaskReplayed
            assert row is not None
