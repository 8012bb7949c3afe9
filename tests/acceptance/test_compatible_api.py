"""A program that knows only the documented SuperOffice API drives the system: over HTTP, worker and all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import httpx
import pytest
from sqlalchemy import select

from batchtask import crm7
from batchtask.demo.sample_crm import SampleCrm, load_sample_crm
from batchtask.events import TaskAmended
from batchtask.http.web_users import set_password
from batchtask.identifiers import TaskId
from tests.access_support import PASSWORD, basic
from tests.mail_merge_support import paragraph, write_template
from tests.system import Part, System, running_system

#: The whole of what such a program is told: where the API is, and who it is.
Api = httpx.Client

Borrow = Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def running(virtual_hosts: Borrow, databases: Borrow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    directory = tmp_path_factory.mktemp("compatible")
    with virtual_hosts() as amqp, databases() as database, running_system(amqp, database, directory) as system:
        for part in (system.worker(archive_dir=archive(system)), system.projections(reconcile_seconds=0.5)):
            part.wait_ready()
        yield system


@pytest.fixture(scope="module")
def crm(running: System) -> SampleCrm:
    with running.engine.begin() as connection:
        return load_sample_crm(connection)


@pytest.fixture(scope="module")
def user(running: System, crm: SampleCrm) -> str:
    """Login name of a user of the sample CRM, who happens to be an administrator."""
    with running.engine.connect() as connection:
        query = select(crm7.associate.c.name).where(crm7.associate.c.associate_id == crm.associate_id)
        name: str = connection.execute(query).scalar_one()
    set_password(running.engine, name, PASSWORD)
    return name


@pytest.fixture(scope="module")
def web(running: System) -> Part:
    part = running.web()
    part.wait_ready()
    return part


@pytest.fixture
def api(web: Part, user: str) -> Iterator[Api]:
    with httpx.Client(base_url=web.url, headers=basic(user), timeout=60) as client:
        yield client


def archive(system: System) -> Path:
    return system.directory / "archive"


def answered(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def poll(api: Api, number: int) -> dict[str, Any]:
    """Ask for a task again and again until it has ended, as such programs do."""
    for _ in range(600):
        info: dict[str, Any] = answered(api.get(f"/api/v1/BatchTask/{number}"))
        if info["State"] not in {"New", "Aquired", "Started"}:
            return info
        time.sleep(0.1)
    raise AssertionError(info)


def test_a_script_drives_a_mail_merge_from_creation_to_file(running: System, crm: SampleCrm, api: Api) -> None:
    folder = archive(running) / "template"
    folder.mkdir(parents=True, exist_ok=True)
    write_template(folder, paragraph("Dear {name}, from the script"))
    number = answered(
        api.post(
            "/api/v1/BatchTask",
            json={
                "Name": "MailMerge",
                "Description": "Autumn letter",
                "ParameterObject": {
                    "template": "template.docx",
                    "selectionId": str(crm.newsletter_selection_id),
                    "fileName": "autumn.docx",
                },
            },
        )
    )
    info = poll(api, number)
    assert (info["Id"], info["State"], info["ProgressPercent"]) == (number, "Succeeded", 100), info
    assert info["Result"].startswith("238 letters")
    assert Path(info["FileName"]).name == "autumn.docx"

    # The original names the file, and leaves it to the caller how to get there.
    with ZipFile(info["FileName"]) as letters:
        assert letters.read("word/document.xml").decode().count("from the script") == 238
    # Who does not share the disk may fetch it, though no document of the original says so.
    assert api.get(f"/api/v2/tasks/{number}/file").content == Path(info["FileName"]).read_bytes()

    assert api.delete(f"/api/v1/BatchTask/{number}").status_code == 204
    assert not Path(info["FileName"]).exists()
    assert api.get(f"/api/v1/BatchTask/{number}").status_code == 404


def test_a_script_drives_a_mail_merge_through_the_agent_and_finds_it_in_the_list(
    running: System, crm: SampleCrm, api: Api
) -> None:
    folder = archive(running) / "template"
    folder.mkdir(parents=True, exist_ok=True)
    write_template(folder, paragraph("Dear {name}, from the agent"))
    agent = "/api/v1/Agents/Batch"
    info = {
        "Name": "MailMerge",
        "Description": "Agent's letter",
        "ParameterObject": {
            "template": "template.docx",
            "selectionId": str(crm.newsletter_selection_id),
            "separateFiles": "true",
        },
    }
    number = answered(api.post(f"{agent}/StartBatchJob", json={"BatchTaskInfo": info}))
    assert poll(api, number)["State"] == "Succeeded"

    wanted = {"$filter": "name eq 'MailMerge' and description is 'Agent''s letter' and state eq Succeeded"}
    [row] = answered(api.get("/api/v1/BatchTask", params=wanted | {"$select": "id,fileName", "$top": 2}))["value"]
    assert row["id"] == number
    with ZipFile(row["fileName"]) as letters:
        assert len(letters.namelist()) == 238

    body = {"Name": "MailMerge", "State": "Succeeded"}
    found = answered(api.post(f"{agent}/GetBatchTaskInfosByNameAndState?$select=Id", json=body))
    assert number in [one["Id"] for one in found]
    assert api.post(f"{agent}/DeleteBatchTask", json={"BatchTaskId": number}).status_code == 204
    assert not Path(row["fileName"]).exists()


def test_a_task_that_runs_is_stopped_and_removed(api: Api) -> None:
    number = answered(api.post("/api/v1/BatchTask", json={"Name": "Sleep", "ParameterObject": {"seconds": "60"}}))
    for _ in range(600):
        if answered(api.get(f"/api/v1/BatchTask/{number}"))["State"] == "Started":
            break
    refused = api.delete(f"/api/v1/BatchTask/{number}")
    assert (refused.status_code, "stop what is open first" in refused.json()["detail"]) == (409, True)
    assert answered(api.post(f"/api/v1/BatchTask/{number}/Stop")) is True
    info = poll(api, number)
    assert (info["State"], info["Response"].partition(".")[0]) == ("Failed", "Stopped on request")
    assert api.post("/api/v1/Agents/Batch/DeleteBatchTasks", json={"BatchTaskIds": [number]}).status_code == 204


def test_a_report_is_printed_and_its_answer_is_the_id_as_text(crm: SampleCrm, api: Api) -> None:
    body = {
        "ReportId": crm.reports["Company list"],
        "LabelLayoutId": 0,
        "Filename": "companies",
        "Language": "US",
        "FileType": "TXT",
        "Restrictions": [
            {
                "Name": "name", "Operator": "begins", "Values": ["A"], "DisplayValues": ["A"], "ColumnInfo": None,
                "IsActive": True, "SubRestrictions": None, "InterParenthesis": 0, "InterOperator": "None",
                "UniqueHash": 17,
            }
        ],
    }  # fmt: skip
    number = answered(api.post("/api/v1/Agents/Report/GenerateReport", json=body))
    assert isinstance(number, str)
    info = poll(api, int(number))
    assert info["State"] == "Succeeded", info
    assert Path(info["FileName"]).name == "companies.txt"


def test_counters_are_regenerated_before_the_answer_or_afterwards(api: Api) -> None:
    now = answered(api.post("/api/v1/Agents/Saint/RegenerateCounters", json={"RunAsBatch": False}))
    assert (now["Name"], now["State"]) == ("status-monitors", "Succeeded"), now
    assert now["ParameterObject"] == {"what": "counters"}
    later = answered(
        api.post("/api/v1/Agents/Saint/RegenerateStatusMonitors?$select=Id,State", json={"RunAsBatch": True})
    )
    assert later["State"] in {"New", "Started", "Succeeded"}
    assert later["Name"] is None
    assert poll(api, later["Id"])["State"] == "Succeeded"


def publishing(api: Api) -> tuple[bool, bool, bool]:
    """Whether fields of companies are being published, those of persons, and any."""
    fields = "/api/v1/Agents/UserDefinedFieldInfo"
    contact, person = (
        answered(api.post(f"{fields}/IsPublishEventActive", json={"Type": kind})) for kind in ("Contact", "Person")
    )
    return contact, person, answered(api.post(f"{fields}/IsAnyPublishEventActive"))


def test_fields_are_published_in_two_steps(api: Api) -> None:
    fields = "/api/v1/Agents/UserDefinedFieldInfo"
    early = api.post(f"{fields}/Publish", json={"OwnerType": "Contact"})
    assert (early.status_code, "call SetPublishStartSystemEvent first" in early.json()["detail"]) == (409, True)
    assert publishing(api) == (False, False, False)
    for _ in range(2):
        assert api.post(f"{fields}/SetPublishStartSystemEvent", json={"OwnerType": "Contact"}).status_code == 204
    assert publishing(api) == (True, False, True)
    number = answered(api.post(f"{fields}/Publish", json={"OwnerType": "contact"}))
    info = poll(api, number)
    assert (info["State"], info["ParameterObject"]) == ("Succeeded", {"owner": "contact"}), info
    assert publishing(api) == (False, False, False)
    # The flag went with the task, so the next one begins with setting it.
    assert api.post(f"{fields}/Publish", json={"OwnerType": "Contact"}).status_code == 409


def test_what_was_written_on_a_task_is_shown_although_the_process_died_before_it_could_be(
    running: System, user: str, api: Api
) -> None:
    number = answered(
        api.post("/api/v1/BatchTask", json={"Name": "sleep", "ParameterObject": {"seconds": "0"}, "Description": "A"})
    )
    poll(api, number)
    dying = running.crashing("batchtask.web", "amend.recorded", web_port=0)
    dying.wait_ready()
    with pytest.raises(httpx.HTTPError):
        httpx.put(
            f"{dying.url}/api/v1/BatchTask/{number}", json={"Description": "B"}, headers=basic(user), timeout=30
        )
    assert dying.exit_code() == -signal.SIGKILL
    running.wait(lambda: answered(api.get(f"/api/v1/BatchTask/{number}"))["Description"] == "B")
    task_id = TaskId(UUID(answered(api.get(f"/api/v2/tasks/{number}"))["id"]))
    assert [event.description for event in running.history(task_id) if isinstance(event, TaskAmended)] == ["B"]
