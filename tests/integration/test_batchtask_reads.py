"""The compatible API, read: what one task looks like, which tasks are found, and who sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine, select, text

from batchtask.database import make_engine
from batchtask.definitions import CancellationBehaviour
from batchtask.events import AttemptStarted, ProgressReported, TaskFailed, TaskReplayed, TaskSucceeded
from batchtask.http.carrier import NEVER
from batchtask.http.problem_handlers import LONGEST_BODY_BYTES
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from batchtask.tables import batchtask
from projections.carriers import CarrierFilter, Carriers
from tests.web_support import KARI, OLA, calling, record, running_app

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
DONE = (STARTED, TaskSucceeded(fence=1, response="Done.", file_name="letters.pdf"))
BROKEN = (STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))
PROPERTIES = [
    "Id", "Name", "AssociateId", "DetailsTable", "DetailsRecord", "IsSystemTask", "IsInternalTask",
    "ParameterObject", "LastStarted", "Created", "StartCount", "DatabaseSerialNumber", "Context", "Result", "State",
    "Description", "Response", "Request", "ProgressDescription", "ProgressPercent", "FileName",
    "CancellationBehaviour", "TableRight", "FieldProperties",
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def client(virtual_hosts: Callable[[], AbstractContextManager[str]], engine: Engine) -> Iterator[TestClient[Any]]:
    url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with virtual_hosts() as amqp_url, running_app(amqp_url, url) as client:
        yield client


@pytest.fixture(autouse=True)
def no_tasks(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE crm7.batchtask, batchtask.event, batchtask.task_number CASCADE"))


def number(engine: Engine, task_id: TaskId) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(
            select(batchtask.c.batchtask_id).where(batchtask.c.task_id == task_id)
        ).scalar_one()
    return found


def recorded(engine: Engine, *events: Any, **submitted: Any) -> int:
    return number(engine, record(engine, *events, **submitted))


def get(client: TestClient[Any], path: str, who: str = "kari", headers: Any = (), **query: Any) -> Any:
    return client.get(f"/api/v1/BatchTask{path}", params=query, headers=calling(who) | dict(headers))


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [task["Id"] for task in answer.json()]


def ask(client: TestClient[Any], call: str, who: str = "kari", select: str | None = None, **arguments: Any) -> Any:
    return client.post(
        f"/api/v1/Agents/Batch/{call}",
        params={"$select": select} if select is not None else {},
        json=arguments,
        headers=calling(who),
    )


def test_a_task_has_the_properties_of_the_original_in_their_order(client: TestClient[Any], engine: Engine) -> None:
    started = (STARTED, ProgressReported(fence=1, percent=40, text="Merging 96 of 240"))
    task = recorded(
        engine, *started, name="mail-merge", description="Autumn letter", request="Letters",
        parameters={"selectionId": 88, "output": "pdf"}, database_tag="1234567890", details_table=205,
        details_record=9001, cancellation=CancellationBehaviour.CancelWithWarning,
    )  # fmt: skip
    seen = get(client, f"/{task}").json()
    assert list(seen) == PROPERTIES
    created, last_started = seen.pop("Created"), seen.pop("LastStarted")
    assert datetime.fromisoformat(created[:26] + created[27:]) <= datetime.now(UTC)
    assert last_started[19:20] == "."
    assert last_started[26:] == created[26:] == "0+00:00"
    assert seen == {
        "Id": task, "Name": "mail-merge", "AssociateId": KARI, "DetailsTable": 205, "DetailsRecord": 9001,
        "IsSystemTask": False, "IsInternalTask": False, "ParameterObject": {"selectionId": "88", "output": "pdf"},
        "StartCount": 1, "DatabaseSerialNumber": "1234567890", "Context": "", "Result": "", "State": "Started",
        "Description": "Autumn letter", "Response": "", "Request": "Letters",
        "ProgressDescription": "Merging 96 of 240", "ProgressPercent": 40, "FileName": "",
        "CancellationBehaviour": "CancelWithWarning", "TableRight": None, "FieldProperties": {},
    }  # fmt: skip


def test_the_result_is_whole_where_the_response_is_cut(client: TestClient[Any], engine: Engine) -> None:
    task = recorded(engine, STARTED, TaskSucceeded(fence=1, response="x" * 300, file_name="letters.pdf"))
    seen = get(client, f"/{task}").json()
    assert (seen["State"], seen["Result"], seen["FileName"]) == ("Succeeded", "x" * 300, "letters.pdf")
    assert seen["Response"] == "x" * 253 + "…"
    assert get(client, f"/{recorded(engine, *BROKEN)}").json()["Result"] == "It broke."


def test_a_replayed_task_has_the_changed_parameters_and_no_result(client: TestClient[Any], engine: Engine) -> None:
    again = TaskReplayed(requested_by=9, due_at=datetime.now(UTC), parameters={"to": "b"})
    as_before = TaskReplayed(requested_by=9, due_at=datetime.now(UTC))
    seen = get(client, f"/{recorded(engine, *BROKEN, again, as_before, parameters={'to': 'a'})}").json()
    assert (seen["ParameterObject"], seen["Result"], seen["State"]) == ({"to": "b"}, "", "New")


def test_a_task_that_never_started_says_so_as_the_original_does(client: TestClient[Any], engine: Engine) -> None:
    assert get(client, f"/{recorded(engine)}").json()["LastStarted"] == NEVER


@pytest.mark.parametrize(
    ("zone", "offsets"),
    [("Europe/Oslo", {"+01:00", "+02:00"}), ("asia/kolkata", {"+05:30"}), ("W. Europe Standard Time", {"+00:00"})],
)
def test_times_are_told_in_the_zone_that_is_asked_for(
    client: TestClient[Any], engine: Engine, zone: str, offsets: set[str]
) -> None:
    seen = get(client, f"/{recorded(engine, *DONE)}", headers={"SO-TimeZone": zone}).json()
    assert {seen["Created"][27:], seen["LastStarted"][27:]} <= offsets


def test_what_one_may_not_see_is_not_there(client: TestClient[Any], engine: Engine) -> None:
    for owner in (OLA, 0):
        task = recorded(engine, owner=owner)
        for answer in (get(client, f"/{task}"), ask(client, "GetBatchTaskInfo", Id=task)):
            assert answer.status_code == 404
            assert answer.json()["detail"].startswith(f"there is no task {task} that you may see")
        assert get(client, f"/{task}", "admin").json()["IsSystemTask"] is (owner == 0)


def test_tasks_of_a_state_are_those_of_users_that_the_caller_may_see(client: TestClient[Any], engine: Engine) -> None:
    karis, done = recorded(engine), recorded(engine, *DONE)
    olas = recorded(engine, owner=OLA)
    recorded(engine, owner=0)
    assert ids(get(client, "/New")) == ids(get(client, "/nEW")) == [karis]
    assert ids(get(client, "/All")) == [done, karis]
    assert ids(get(client, "/Aquired")) == []
    assert ids(get(client, "/New", "admin")) == [olas, karis]
    assert get(client, "/All").headers["X-Limit"] == "1000"


def test_an_answer_holds_the_newest_only(engine: Engine) -> None:
    tasks = [recorded(engine) for _ in range(3)]
    assert [info.id for info in Carriers(engine).many(CarrierFilter(limit=2))] == tasks[:0:-1]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/99999999999", 404, "there is no task 99999999999 that you may see"),
        ("/" + "9" * 36, 404, "there is no task 999"),
        ("/0", 404, "there is no task 0 that you may see"),
        ("/Acquired", 400, "expected a task's id in digits, or the name of a state: 'Acquired' is no state"),
        ("/-1", 400, "expected a task's id"),
        ("/x%00", 400, "expected a task's id"),
    ],
)
def test_a_path_that_names_nothing_gets_a_sentence(
    client: TestClient[Any], path: str, status: int, detail: str
) -> None:
    answer = get(client, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].startswith(detail)


SETS: list[tuple[str, dict[str, Any], str, str]] = [
    # call, arguments, what kari is answered, what an administrator is answered; letters are those of `TASKS`
    ("GetBatchTaskInfosByAssociates", {"AssociateIds": [KARI, OLA]}, "abc", "abcde"),
    ("GetBatchTaskInfosByAssociates", {"AssociateIds": [OLA]}, "", "de"),
    ("GetBatchTaskInfosByAssociates", {"AssociateIds": [0]}, "", "fg"),
    ("GetBatchTaskInfosByAssociates", {"AssociateIds": []}, "", ""),
    ("GetBatchTaskInfosByAssociatesAndState", {"AssociateIds": [KARI, OLA], "State": "New"}, "ac", "acd"),
    ("GetBatchTaskInfosByAssociatesAndState", {"AssociateIds": [KARI], "State": "All"}, "abc", "abc"),
    ("GetBatchTaskInfosByState", {"State": "New"}, "ac", "acd"),
    ("GetBatchTaskInfosByNameAndState", {"Name": "sleep", "State": "New"}, "a", "ad"),
    ("GetBatchTaskInfosByNameAndState", {"Name": "MailMerge", "State": "All"}, "c", "c"),
    ("GetBatchTaskInfosByNameAndAssociates", {"Name": "sleep", "AssociateIds": [KARI, OLA]}, "ab", "abde"),
    ("GetAllBatchTaskInfosByName", {"TaskName": "sleep"}, "ab", "abdefg"),
    ("GetAllBatchTaskInfosByName", {"TaskName": "no\0thing"}, "", ""),
    ("GetAllBatchTaskInfosByNameAndState", {"TaskName": "sleep", "State": "Succeeded"}, "b", "beg"),
    ("GetSystemBatchTaskInfosByName", {"TaskName": "sleep"}, "", "fg"),
    ("GetSystemBatchTaskInfosByNameAndState", {"TaskName": "Sleep", "State": "new"}, "", "f"),
    ("GetSystemBatchTaskInfosByNameAndState", {"taskname": "Sleep", "STATE": 1}, "", "f"),
]
TASKS: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
    ("a", {}, ()), ("b", {}, DONE), ("c", {"name": "mail-merge"}, ()), ("d", {"owner": OLA}, ()),
    ("e", {"owner": OLA}, DONE), ("f", {"owner": 0}, ()), ("g", {"owner": 0}, DONE),
]  # fmt: skip


def test_every_call_of_the_agent_answers_its_set(client: TestClient[Any], engine: Engine) -> None:
    letters = {recorded(engine, *events, **submitted): letter for letter, submitted, events in TASKS}
    for call, arguments, own, everybodys in SETS:
        for who, expected in (("kari", own), ("admin", everybodys)):
            found = [letters[task] for task in ids(ask(client, call, who, **arguments))]
            assert found == sorted(expected, reverse=True), (call, arguments, who)


def test_select_nulls_what_it_does_not_name(client: TestClient[Any], engine: Engine) -> None:
    task = recorded(engine)
    [seen] = ask(client, "GetBatchTaskInfosByState", select="id, NAME,State", State="All").json()
    assert list(seen) == PROPERTIES
    assert {name: value for name, value in seen.items() if value is not None} == {
        "Id": task, "Name": "sleep", "State": "New",
    }  # fmt: skip
    one = ask(client, "GetBatchTaskInfo", select="FieldProperties", Id=task).json()
    assert {name for name, value in one.items() if value is not None} == {"FieldProperties"}
    assert ask(client, "GetBatchTaskInfo", select="", Id=task).json()["Name"] == "sleep"


@pytest.mark.parametrize(
    ("call", "select", "arguments", "detail"),
    [
        ("GetBatchTaskInfo", "Nme", {"Id": 1}, "$select: 'Nme' is no property of BatchTaskInfo; there are Id, Name,"),
        ("GetBatchTaskInfo", "", {"Ids": 1}, "body: Object missing required field `Id`"),
        ("GetBatchTaskInfo", "", {"Id": 2**31}, "body Id: Expected `int` <= 2147483647"),
        ("GetBatchTaskInfosByState", "", {"State": "Done"}, "'Done' is no state of a batch task; there are Unknown,"),
        ("GetAllBatchTaskInfosByName", "", {"Name": "sleep"}, "Object missing required field `TaskName`"),
    ],
)
def test_arguments_that_do_not_fit_get_a_sentence(
    client: TestClient[Any], call: str, select: str, arguments: dict[str, Any], detail: str
) -> None:
    answer = ask(client, call, select=select, **arguments)
    assert answer.status_code == 400, answer.text
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["application/xml", "text/xml", "application/x-www-form-urlencoded"])
def test_arguments_are_json(client: TestClient[Any], content_type: str) -> None:
    headers = calling("kari") | {"Content-Type": content_type}
    answer = client.post("/api/v1/Agents/Batch/GetBatchTaskInfo", content='{"Id": 1}', headers=headers)
    assert (answer.status_code, "`Content-Type: application/json`" in answer.json()["detail"]) == (415, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no body: send a JSON object"),
        (b"{", "the body cannot be read as JSON: Input data was truncated"),
        (b"\xff\xfe{", "the body cannot be read as JSON: JSON is malformed"),
        (b"null", "body: Expected `object`, got `null`"),
        (b"[" * 700 + b"]" * 700, "body: Expected `object`, got `array`"),
        (b'{"Id": ' + b"[" * 700 + b"]" * 700 + b"}", "body Id: Expected `int`, got `array`"),
        (b"[" * 9_000, "The JSON that was sent nests too deeply."),
    ],
)
def test_a_body_that_cannot_be_read_gets_a_sentence(client: TestClient[Any], content: bytes, said: str) -> None:
    answer = client.post("/api/v1/Agents/Batch/GetBatchTaskInfo", content=content, headers=calling("kari"))
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(said)


def test_letter_case_does_not_matter_to_who_asks(client: TestClient[Any], engine: Engine) -> None:
    task = recorded(engine)
    kari = calling("kari")
    assert client.get(f"/API/V1/batchtask/{task}", headers=kari).json()["Id"] == task
    assert ids(client.get("/api/v1/BATCHTASK/new/", headers=kari)) == [task]
    path = "/api/v1/agents/batch/getbatchtaskinfo?$SELECT=id"
    for body in (b'{"id": %d}', b'{"ID": "%d"}', b'\xef\xbb\xbf{"iD": %d}'):
        one = client.post(path, content=body % task, headers=kari).json()
        assert (one["Id"], one["Name"]) == (task, None)


def test_nothing_that_the_apis_answer_may_be_kept(client: TestClient[Any], engine: Engine) -> None:
    task = recorded(engine)
    for path in (f"v1/BatchTask/{task}", "v1/BatchTask/0", "v1/nothing", f"v2/tasks/{task}", "v2/tasks?limit=0"):
        assert client.get(f"/api/{path}", headers=calling("kari")).headers["Cache-Control"] == "no-store", path
    assert client.get("/api/v1/BatchTask").headers["Cache-Control"] == "no-store"


def test_a_path_or_method_that_there_is_not_gets_a_sentence(client: TestClient[Any]) -> None:
    assert "/api/openapi.json lists all that there is" in get(client, "/1/Start").json()["detail"]
    answer = client.get("/api/v1/Agents/Batch/StopBatchJob", headers=calling("kari"))
    assert (answer.status_code, answer.json()["detail"]) == (
        405, "GET is not done at this address: send OPTIONS, POST",
    )  # fmt: skip
    assert "POST" in answer.headers["Allow"]


def test_a_caller_may_name_more_associates_than_a_statement_has_parameters(
    client: TestClient[Any], engine: Engine
) -> None:
    task = recorded(engine)
    everybody = list(range(70_000))
    for who in ("kari", "admin"):
        assert ids(ask(client, "GetBatchTaskInfosByAssociates", who, AssociateIds=everybody)) == [task]


def test_a_body_that_is_too_large_gets_a_sentence(client: TestClient[Any]) -> None:
    answer = ask(client, "GetAllBatchTaskInfosByName", TaskName="x" * LONGEST_BODY_BYTES)
    said = f"the body has more than the {LONGEST_BODY_BYTES} bytes that are taken here: send less"
    assert (answer.status_code, answer.json()["detail"]) == (413, said)
