"""What the OpenAPI document promises, tried by schemathesis: whatever is sent, the answer is one that it names.

Against a real process that no worker stands behind: tasks that are submitted stay waiting. Some examples for each
operation here; `SCHEMATHESIS_EXAMPLES=300` makes a long run of it, by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from batchtask.events import AttemptStarted, TaskFailed
from batchtask.http.service_tokens import issue_token
from batchtask.outcomes import Cause
from batchtask.settings import Settings
from batchtask.web.app import create_app
from tests.access_support import add_people
from tests.conftest import ENVIRON
from tests.system import running_system
from tests.web_support import record

STARTED = (AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d"),)
EXAMPLES = int(ENVIRON.get("SCHEMATHESIS_EXAMPLES", "12"))
#: A stream does not end, and so has no answer to look at; its own tests read it.
STREAMS = "/api/v2/live"
#: Wait up to 50 s for a worker, which is not there; test_compatible_api.py calls them before one.
WAITING = "/api/v1/Agents/Saint/"
#: What is not asked of us, and why.
EXCLUDED = [
    # A schema does not say what a filter, a state or an existing number is: such texts get 400 or 404, as documented.
    positive_data_acceptance,
    # Bodies and queries are read leniently, "7" for 7 and 1 for true: the original's clients send such.
    negative_data_rejection,
    # It guesses at credentials until the limit of logins answers 429; the table of test_who_calls.py tries each once.
    ignored_auth,
    # OPTIONS names the methods of one controller only, where a command and a query share a path: the framework's.
    allow_header_conformance,
]


class Web(NamedTuple):
    url: str
    headers: dict[str, str]


# Made without a connection; the process below serves the same document.
document = (
    schemathesis.openapi.from_dict(
        create_app(Settings(database_url="postgresql://nobody@127.0.0.1/nothing")).openapi_schema.to_schema()
    )
    .exclude(path=STREAMS)
    .exclude(path_regex=WAITING)
)


@pytest.fixture(scope="module")
def web(databases: Any, virtual_hosts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Where a process serves, and the credential of an administrator, who may call everything."""
    directory = tmp_path_factory.mktemp("schemathesis")
    with databases() as url, virtual_hosts() as amqp_url, running_system(amqp_url, url, directory) as system:
        add_people(url)
        token = issue_token(system.engine, "Ann", "schemathesis")[1]
        for events in ((), STARTED, (*STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))):
            record(system.engine, *events, owner=1)
        system.projections().wait_ready()  # the compatible API answers when the row is there
        part = system.web(submit_seconds=2)
        part.wait_ready()
        yield Web(part.url, {"Authorization": f"Bearer {token}"})


@document.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: schemathesis.Case, web: Web) -> None:
    case.call_and_validate(base_url=web.url, headers=web.headers, excluded_checks=EXCLUDED)
