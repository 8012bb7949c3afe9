"""Who may call what: one row for each operation of the application, tried as nobody, users and an administrator.

A task is Kari's, Ola's or the system's. What one may not see answers 404; what only administrators may do, 403.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from batchtask.events import AttemptStarted, Event, TaskSucceeded
from batchtask.http.authentication import PUBLIC
from batchtask.http.callers import SYSTEM
from batchtask.settings import Settings
from batchtask.web.app import create_app
from tests.web_support import KARI, OLA, calling, record
from tests.web_system import WebSystem, web_system

Borrow = Callable[[], AbstractContextManager[str]]
DONE = (AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d"), TaskSucceeded(fence=1, response="Done."))


class For(StrEnum):
    """For whom an operation is."""

    USERS = "all users"
    OWNER = "whoever may see the task"
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True)
class Operation:
    """One operation, and what to send so that it does something."""

    method: str
    path: str  #: `{key}` is the number of a task
    who: For
    body: Callable[[int], Any] = lambda key: None
    events: tuple[Event, ...] = ()  #: of the task, behind its submission
    unseen: int = 404  #: answered for a task that the caller may not see

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def sent(**body: Any) -> Callable[[int], Any]:
    return lambda key: body


V1, V2, BATCH = "/api/v1", "/api/v2", "/api/v1/Agents/Batch"
SLEEP = sent(name="sleep", parameters={"seconds": 0})
NIGHTLY = sent(name="access", cron="@daily", task="noop")
BY_NAME = {"TaskName": "sleep"}

TABLE = [
    Operation("GET", f"{V2}/me", For.USERS),
    Operation("GET", f"{V2}/definitions", For.USERS),
    Operation("GET", f"{V2}/tasks", For.USERS),
    Operation("POST", f"{V2}/tasks", For.USERS, SLEEP),
    Operation("GET", f"{V2}/tasks/{{key}}", For.OWNER),
    Operation("DELETE", f"{V2}/tasks/{{key}}", For.OWNER, events=DONE),
    Operation("GET", f"{V2}/tasks/{{key}}/attempts", For.OWNER),
    Operation("GET", f"{V2}/tasks/{{key}}/events", For.OWNER),
    Operation("GET", f"{V2}/tasks/{{key}}/log", For.OWNER),
    Operation("GET", f"{V2}/tasks/{{key}}/parameters", For.OWNER),
    Operation("POST", f"{V2}/tasks/{{key}}/cancel", For.OWNER, sent(reason="")),
    Operation("POST", f"{V2}/tasks/{{key}}/told", For.OWNER, events=DONE),
    Operation("POST", f"{V2}/tasks/{{key}}/replay", For.ADMINISTRATORS, sent()),
    Operation("POST", f"{V2}/bulk/cancel", For.ADMINISTRATORS, sent(name="nothing", dry_run=True)),
    Operation("POST", f"{V2}/bulk/replay", For.ADMINISTRATORS, sent(name="nothing", dry_run=True)),
    Operation("GET", f"{V2}/dead", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/dead/groups", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/overview", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/queues", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/workers", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/statistics", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/pause", For.ADMINISTRATORS),
    Operation("POST", f"{V2}/pause", For.ADMINISTRATORS, sent(reason="")),
    Operation("POST", f"{V2}/resume", For.ADMINISTRATORS),
    Operation("POST", f"{V2}/workers/{{key}}/pause", For.ADMINISTRATORS, sent(reason="")),
    Operation("POST", f"{V2}/workers/{{key}}/resume", For.ADMINISTRATORS),
    Operation("GET", f"{V2}/schedules", For.ADMINISTRATORS),
    Operation("POST", f"{V2}/schedules", For.ADMINISTRATORS, NIGHTLY),
    Operation("POST", f"{V2}/schedules/{{name}}/pause", For.ADMINISTRATORS),
    Operation("POST", f"{V2}/schedules/{{name}}/resume", For.ADMINISTRATORS),
    Operation("DELETE", f"{V2}/schedules/{{name}}", For.ADMINISTRATORS),
    Operation("GET", f"{V1}/BatchTask", For.USERS),
    Operation("POST", f"{V1}/BatchTask", For.USERS, sent(Name="noop")),
    Operation("GET", f"{V1}/BatchTask/{{key}}", For.OWNER),
    Operation("PUT", f"{V1}/BatchTask/{{key}}", For.OWNER, sent(Description="Mine")),
    Operation("DELETE", f"{V1}/BatchTask/{{key}}", For.OWNER, events=DONE),
    Operation("POST", f"{V1}/BatchTask/{{key}}/Stop", For.OWNER, unseen=400),  # as the original documents it
    Operation("POST", f"{BATCH}/GetBatchTaskInfo", For.OWNER, lambda key: {"Id": key}),
    Operation("POST", f"{BATCH}/StopBatchJob", For.OWNER, lambda key: {"Id": key}),
    Operation("POST", f"{BATCH}/UpdateBatchTask", For.OWNER,
              lambda key: {"BatchTaskInfo": {"Id": key, "Description": "Mine"}}),
    Operation("POST", f"{BATCH}/DeleteBatchTask", For.OWNER, lambda key: {"BatchTaskId": key}, DONE),
    Operation("POST", f"{BATCH}/DeleteBatchTasks", For.OWNER, lambda key: {"BatchTaskIds": [key]}, DONE),
    Operation("POST", f"{BATCH}/StartBatchJob", For.USERS, sent(BatchTaskInfo={"Name": "noop"})),
    Operation("POST", f"{BATCH}/GetBatchTaskInfosByState", For.USERS, sent(State="New")),
    Operation("POST", f"{BATCH}/GetBatchTaskInfosByAssociates", For.USERS, sent(AssociateIds=[OLA])),
    Operation("POST", f"{BATCH}/GetBatchTaskInfosByAssociatesAndState", For.USERS,
              sent(AssociateIds=[OLA], State="New")),
    Operation("POST", f"{BATCH}/GetBatchTaskInfosByNameAndState", For.USERS, sent(Name="sleep", State="New")),
    Operation("POST", f"{BATCH}/GetBatchTaskInfosByNameAndAssociates", For.USERS,
              sent(Name="sleep", AssociateIds=[OLA])),
    Operation("POST", f"{BATCH}/GetAllBatchTaskInfosByName", For.USERS, sent(**BY_NAME)),
    Operation("POST", f"{BATCH}/GetAllBatchTaskInfosByNameAndState", For.USERS, sent(**BY_NAME, State="New")),
    Operation("POST", f"{BATCH}/GetSystemBatchTaskInfosByName", For.USERS, sent(**BY_NAME)),
    Operation("POST", f"{BATCH}/GetSystemBatchTaskInfosByNameAndState", For.USERS, sent(**BY_NAME, State="New")),
    Operation("POST", f"{V1}/Agents/Report/GenerateReport", For.USERS, sent(ReportId=1)),
    Operation("POST", f"{V1}/Agents/EMail/RefreshFolder", For.USERS, sent(Folders=[])),
    Operation("POST", f"{V1}/Agents/Saint/RegenerateStatusMonitors", For.ADMINISTRATORS, sent(RunAsBatch=True)),
    Operation("POST", f"{V1}/Agents/Saint/RegenerateCounters", For.ADMINISTRATORS, sent(RunAsBatch=True)),
    Operation("POST", f"{V1}/Agents/UserDefinedFieldInfo/SetPublishStartSystemEvent", For.ADMINISTRATORS,
              sent(OwnerType="Sale")),
    Operation("POST", f"{V1}/Agents/UserDefinedFieldInfo/Publish", For.ADMINISTRATORS, sent(OwnerType="Sale")),
    Operation("POST", f"{V1}/Agents/UserDefinedFieldInfo/IsPublishEventActive", For.USERS, sent(Type="Sale")),
    Operation("POST", f"{V1}/Agents/UserDefinedFieldInfo/IsAnyPublishEventActive", For.USERS),
]  # fmt: skip

#: Tried elsewhere: a stream does not end (test_live.py), a file has to be there (test_web_history.py), and a session
#: is a browser's (test_browser_sessions.py).
ELSEWHERE = {f"GET {V2}/live", f"GET {V2}/tasks/{{key}}/file", "GET /session"}
#: Everybody may: pages without anybody's data in them, the document, and logging in and out.
OPEN_TO_ALL = {
    "GET /", "GET /login", "GET /operations", "GET /tasks", "GET /tasks/{number}", "GET /pages/{name}",
    "GET /api", "GET /api/openapi.json", "GET /api/{path}", "POST /login", "POST /logout",
}  # fmt: skip


@pytest.fixture(scope="module")
def web(virtual_hosts: Borrow, databases: Borrow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSystem]:
    with web_system(virtual_hosts, databases, tmp_path_factory.mktemp("access")) as web:
        yield web


def call(web: WebSystem, operation: Operation, who: str, owner: int = KARI) -> int:
    """Call an operation on a new task of somebody's, and return the answer's status."""
    task_id = record(web.system.engine, *operation.events, owner=owner)
    row = web.system.row(task_id)
    assert row is not None
    key = row["batchtask_id"]
    path = operation.path.format(key=key, name=f"of-{who}")
    headers = calling(who) if who else {}
    return web.client.request(operation.method, path, json=operation.body(key), headers=headers).status_code


def test_every_operation_stands_in_the_table() -> None:
    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1/nothing"))
    found, public = set(), set()
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                (public if handler.opt.get(PUBLIC) else found).add(f"{method} {route.path_format}")
    assert found == {str(operation) for operation in TABLE} | ELSEWHERE
    assert public == OPEN_TO_ALL


@pytest.mark.parametrize("operation", TABLE, ids=str)
def test_nobody_may_do_anything_without_proving_who_they_are(operation: Operation, web: WebSystem) -> None:
    assert call(web, operation, "") == 401


@pytest.mark.parametrize("operation", [one for one in TABLE if one.who is For.ADMINISTRATORS], ids=str)
def test_what_is_for_administrators_is_refused_to_users(operation: Operation, web: WebSystem) -> None:
    assert call(web, operation, "kari") == 403
    assert call(web, operation, "admin") not in {401, 403}


@pytest.mark.parametrize("operation", [one for one in TABLE if one.who is For.USERS], ids=str)
def test_what_is_for_users_is_answered_to_all_of_them(operation: Operation, web: WebSystem) -> None:
    assert call(web, operation, "kari") < 300
    assert call(web, operation, "admin") < 300


@pytest.mark.parametrize("operation", [one for one in TABLE if one.who is For.OWNER], ids=str)
def test_a_task_is_its_owners_and_to_other_users_it_is_not_there(operation: Operation, web: WebSystem) -> None:
    assert call(web, operation, "kari", KARI) < 300
    assert call(web, operation, "kari", OLA) == operation.unseen
    assert call(web, operation, "kari", SYSTEM) == operation.unseen
    assert call(web, operation, "admin", OLA) < 300
    assert call(web, operation, "admin", SYSTEM) < 300


@pytest.mark.parametrize(
    ("path", "of_whom"),
    [(f"{V2}/tasks", {"owner": "all"}), (f"{V2}/tasks", {"owner": OLA}), (f"{V2}/tasks", {"owner": SYSTEM})],
)
def test_a_list_of_others_is_for_administrators(path: str, of_whom: dict[str, Any], web: WebSystem) -> None:
    assert web.client.get(path, params=of_whom, headers=calling("kari")).status_code == 403
    assert web.client.get(path, params=of_whom, headers=calling("admin")).status_code == 200


@pytest.mark.parametrize("owner", [OLA, SYSTEM])
def test_a_task_for_others_or_the_system_is_started_by_administrators(owner: int, web: WebSystem) -> None:
    compatible = {"Name": "noop"} | ({"AssociateId": owner} if owner else {"IsSystemTask": True})
    for who, expected in (("kari", {403}), ("admin", {200, 201})):
        assert web.post(who, "tasks", {"name": "noop", "owner": owner}).status_code in expected
        answer = web.client.post(f"{V1}/BatchTask", json=compatible, headers=calling(who))
        assert answer.status_code in expected


@pytest.mark.parametrize(
    ("name", "parameters"), [("publish-udef", {"owner": "sale"}), ("status-monitors", {"what": "counters"})]
)
def test_tasks_for_administrators_are_started_by_nobody_else(
    name: str, parameters: dict[str, Any], web: WebSystem
) -> None:
    for who, expected in (("kari", {403}), ("admin", {200, 201})):
        modern = web.post(who, "tasks", {"name": name, "parameters": parameters})
        assert modern.status_code in expected, modern.text
        body = {"Name": name, "ParameterObject": parameters}
        assert web.client.post(f"{V1}/BatchTask", json=body, headers=calling(who)).status_code in expected
    only = {one["name"] for one in web.get("kari", "definitions").json()["definitions"] if one["administrators_only"]}
    assert only == {"publish-udef", "status-monitors"}
