"""The web application inside another ASGI application, below a path, as docs/web-access.md shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send
from playwright.sync_api import Browser, expect

from batchtask.database import make_engine
from batchtask.settings import Settings
from batchtask.web.app import create_app
from tests.access_support import PASSWORD, add_people, basic, id_of
from tests.browser import log_in, visitor
from tests.live_support import listening, served
from tests.page_tasks import Told, record_story

PATH = "/crm/batch"


def around(inner: Litestar) -> Litestar:
    """An application of a customer's, which has ours below a path and runs as long as ours does."""

    @asgi(PATH, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(dict(scope, root_path=PATH), receive, send)  # type: ignore[arg-type]

    @asynccontextmanager
    async def both(outer: Litestar) -> AsyncIterator[None]:
        async with inner.lifespan():
            outer.state.closing = inner.state.closing
            yield

    return Litestar([mounted], lifespan=[both], openapi_config=None, logging_config=None)


@pytest.fixture
def url(amqp_url: str, database_url: str) -> Iterator[str]:
    add_people(database_url)
    engine = make_engine(database_url)
    record_story(engine, id_of(engine, "bob"), [Told("report", "Sales of May", 30)])
    engine.dispose()
    with served(around(create_app(Settings(amqp_url=amqp_url, database_url=database_url, submit_seconds=2)))) as host:
        yield host + PATH


def test_pages_session_and_indicator_stay_below_the_path(browser: Browser, url: str) -> None:
    with visitor(browser, url) as page:
        log_in(page, "bob", PASSWORD, f"{url}/")
        expect(page.get_by_text("Live")).to_be_visible()
        expect(page.get_by_role("button", name="Batch task in progress: Sales of May")).to_be_visible()
        page.get_by_role("link", name="Sales of May").first.click()
        expect(page.get_by_text("Submitted by bob.")).to_be_visible()
        assert page.url == f"{url}/tasks/1"
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{url}/login")


def test_an_address_that_there_is_not_leads_back_to_my_tasks(browser: Browser, url: str) -> None:
    with visitor(browser, url) as page:
        log_in(page, "bob", PASSWORD, f"{url}/")
        answer = page.goto(f"{url}/no/such/page")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        assert page.evaluate("document.styleSheets.length") == 3
        page.get_by_role("link", name="To my tasks").click()
        expect(page.get_by_role("link", name="Sales of May").first).to_be_visible()
        assert page.url == f"{url}/"


def test_what_was_made_is_found_where_the_answer_says(url: str) -> None:
    with httpx.Client(base_url=url.removesuffix(PATH), auth=("ann", PASSWORD)) as ann:
        body = {"name": "nightly", "cron": "@daily", "task": "sleep", "parameters": {"seconds": 0}}
        schedule = ann.post(f"{PATH}/api/v2/schedules", json=body).headers["location"]
        assert ann.post(f"{schedule}/pause").json()["paused"] is True
        # No projections run here: the task is safe, and cannot be read yet.
        task = ann.post(f"{PATH}/api/v2/tasks", json={"name": "sleep", "parameters": {"seconds": 0}})
        assert (task.status_code, task.headers["location"]) == (202, f"{PATH}/api/v2/tasks/{task.json()['id']}")


def test_apis_document_and_stream_are_there_too(url: str) -> None:
    bob = basic("bob")
    assert httpx.get(f"{url}/api/v1/BatchTask/1", headers=bob).json()["Description"] == "Sales of May"
    assert "/api/v2/tasks" in httpx.get(f"{url}/api/openapi.json").json()["paths"]
    with listening(url, bob) as stream:
        assert [task["title"] for task in stream.beginning] == ["Sales of May"]
