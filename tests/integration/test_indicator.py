"""The indicator in a real browser, in a page of another origin: what it shows, says and lets be heard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.events import AttemptStarted, CancelRequested, Event, ProgressReported, TaskFailed, TaskSucceeded
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from batchtask.settings import Settings
from batchtask.web.app import create_app
from projections.live import hub
from tests.access_support import PASSWORD, add_people
from tests.browser import chromium
from tests.embedding import embedded, heard, other_origin, token_of
from tests.live_support import served
from tests.polling import eventually
from tests.proxy import proxied
from tests.web_support import append, record

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
HALF = ProgressReported(fence=1, percent=50, text="120 of 240 letters")
DONE = TaskSucceeded(fence=1, response="240 letters were merged.")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@dataclass(frozen=True)
class Embedding:
    """The application, a page of another origin that embeds its indicator, and the database behind it."""

    engine: Engine
    server: str
    origin: str
    kari: int
    ola: int
    token: str  #: Kari's

    def record(self, *events: Event, owner: int | None = None, name: str = "sleep", description: str = "") -> TaskId:
        return record(self.engine, *events, owner=owner or self.kari, name=name, description=description)

    def append(self, task_id: TaskId, *events: Event, after: int) -> None:
        append(self.engine, task_id, events, after=after)


@pytest.fixture
def embedding(amqp_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedding]:
    # No message tells of what a test writes into the database by itself.
    monkeypatch.setattr(hub, "RESCAN_SECONDS", 0.2)
    (kari, karis), (ola, olas) = token_of(database_url, "kari"), token_of(database_url, "ola")
    app = create_app(Settings(amqp_url=amqp_url, database_url=database_url, web_origins="*"))
    engine = make_engine(database_url)
    with served(app) as server:
        pages = {
            "page": embedded(server, f'token="{karis}"'),
            "silent": embedded(server, f'token="{karis}" silent'),
            "nobody": embedded(server, ""),
            "ola": embedded(server, f'token="{olas}"'),
        }
        with other_origin(**pages) as origin:
            yield Embedding(engine, server, origin, kari, ola, karis)
    engine.dispose()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert problems == []


def opened(page: Page, embedding: Embedding, name: str = "page") -> Locator:
    """Open a page that embeds the indicator, and return it once its stream is up to date."""
    with page.expect_request("**/api/v2/live*"):
        page.goto(f"{embedding.origin}/{name}")
    return page.locator("batch-task-indicator")


def button(indicator: Locator) -> Locator:
    return indicator.get_by_role("button", expanded=False).or_(indicator.get_by_role("button", expanded=True))


def test_while_nothing_runs_it_takes_no_room_at_all(page: Page, embedding: Embedding) -> None:
    indicator = opened(page, embedding)
    without = page.evaluate("""() => {
        const text = document.querySelector("p"), range = document.createRange();
        range.selectNodeContents(text);
        const before = range.getBoundingClientRect().width;
        document.querySelector("batch-task-indicator").remove();
        return [before, range.getBoundingClientRect().width];
    }""")
    assert without[0] == without[1]
    expect(indicator).to_have_count(0)


def test_it_names_one_task_and_counts_several(page: Page, embedding: Embedding) -> None:
    first = embedding.record(STARTED, HALF, name="mail-merge")
    embedding.record(STARTED, owner=embedding.ola)
    indicator = opened(page, embedding)
    expect(button(indicator)).to_have_text("Mail merge")
    expect(button(indicator)).to_have_accessible_name("Batch task in progress: Mail merge")

    embedding.record(name="report", description="Sales of May")
    expect(button(indicator)).to_have_text("2")
    expect(button(indicator)).to_have_accessible_name("2 batch tasks in progress")

    embedding.append(first, DONE, after=2)
    expect(button(indicator)).to_have_text("Sales of May")


def test_its_list_shows_state_and_progress_of_each(page: Page, embedding: Embedding) -> None:
    running = embedding.record(STARTED, HALF, name="mail-merge")
    embedding.record(name="report", description="Sales of May")
    indicator = opened(page, embedding)
    button(indicator).hover()
    rows = indicator.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(re.compile("Mail merge.*Running.*50 %.*120 of 240 letters"))
    expect(rows.nth(0).get_by_role("progressbar", name="Mail merge")).to_have_attribute("value", "50")
    expect(rows.nth(1)).to_contain_text(re.compile("Sales of May.*Waiting"))
    number = page.evaluate("document.querySelector('batch-task-indicator').tasks[0].number")
    expect(rows.nth(0).get_by_role("link")).to_have_attribute("href", f"{embedding.server}/tasks/{number}")

    embedding.append(running, ProgressReported(fence=1, percent=75, text="180 of 240 letters"), after=2)
    expect(rows.nth(0)).to_contain_text("75 %")
    embedding.append(running, CancelRequested(requested_by=embedding.ola), after=3)
    expect(rows.nth(0)).to_contain_text(re.compile("Mail merge.*Stopping….*75 %"))
    page.get_by_role("heading").hover()
    expect(rows).to_have_count(0)


def test_the_keyboard_opens_and_closes_its_list(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED)
    indicator = opened(page, embedding)
    expect(button(indicator)).to_be_visible()
    page.keyboard.press("Tab")
    expect(button(indicator)).to_be_focused()
    expect(button(indicator)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    expect(indicator.get_by_role("link")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button(indicator)).to_be_focused()
    expect(button(indicator)).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(indicator.get_by_role("link")).to_be_visible()


def test_an_end_is_said_shown_and_heard(page: Page, embedding: Embedding) -> None:
    task_id = embedding.record(STARTED, HALF, name="mail-merge")
    indicator = opened(page, embedding)
    expect(button(indicator)).to_be_visible()
    embedding.append(task_id, DONE, after=2)
    expect(indicator.locator(".toast")).to_contain_text("Mail merge – Done")
    expect(indicator.locator(".toast")).to_contain_text("240 letters were merged.")
    expect(indicator.get_by_role("status")).to_contain_text("Mail merge: done")
    expect(button(indicator)).to_be_hidden()
    assert heard(page) == [
        {"kind": "finished", "first": True, "id": str(task_id), "percent": 100, "from": "batch-task-indicator"}
    ]
    indicator.get_by_role("button", name="Close").click()
    expect(indicator.locator(".toast")).to_have_count(0)


def test_every_change_is_an_event_of_the_page(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED, description="What runs already raises none")
    expect(button(opened(page, embedding))).to_be_visible()
    task_id = embedding.record()
    eventually(lambda: heard(page, "submitted"))
    embedding.append(task_id, STARTED, after=0)
    eventually(lambda: heard(page, "started"))
    embedding.append(task_id, HALF, after=1)
    eventually(lambda: heard(page, "progress"))
    embedding.append(task_id, TaskFailed(cause=Cause.ERROR, message="The template is gone."), after=2)
    eventually(lambda: heard(page, "finished"))
    assert [event["kind"] for event in heard(page)] == ["submitted", "started", "progress", "finished"]


def test_of_many_tabs_one_tells_of_the_end(page: Page, embedding: Embedding) -> None:
    task_id = embedding.record(STARTED)
    tabs = [page, page.context.new_page(), page.context.new_page()]
    for tab in tabs:
        expect(button(opened(tab, embedding))).to_be_visible()
    embedding.append(task_id, DONE, after=1)
    for tab in tabs:
        eventually(lambda tab=tab: heard(tab, "finished"))  # type: ignore[misc]
    assert sorted(heard(tab, "finished")[0]["first"] for tab in tabs) == [False, False, True]
    assert sum(tab.locator("batch-task-indicator .toast").count() for tab in tabs) == 1


def test_an_end_that_nobody_saw_is_told_by_the_next_page_and_by_no_other(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED, DONE)
    expect(opened(page, embedding).locator(".toast")).to_be_visible()
    expect(opened(page, embedding).locator(".toast")).to_have_count(0)
    page.wait_for_timeout(500)  # nothing shall come: there is nothing to wait for
    assert heard(page) == []


def test_a_silent_indicator_and_a_page_that_shows_the_end_itself_show_no_message(
    page: Page, embedding: Embedding
) -> None:
    task_id = embedding.record(STARTED)
    silent = opened(page, embedding, "silent")
    expect(button(silent)).to_be_visible()
    embedding.append(task_id, DONE, after=1)
    eventually(lambda: heard(page, "finished"))
    assert heard(page, "finished")[0]["first"] is True
    expect(silent.locator(".toast")).to_have_count(0)

    another = embedding.record(STARTED)
    indicator = opened(page, embedding)
    expect(button(indicator)).to_be_visible()
    page.evaluate("addEventListener('batchevent', (event) => event.preventDefault())")
    embedding.append(another, DONE, after=1)
    eventually(lambda: heard(page, "finished"))
    expect(indicator.locator(".toast")).to_have_count(0)


def test_texts_of_tasks_stay_text(page: Page, embedding: Embedding) -> None:
    evil = '<img src=x onerror="window.evil = 1"><script>window.evil = 1</script>'
    task_id = embedding.record(STARTED, ProgressReported(fence=1, percent=1, text=evil), description=evil)
    indicator = opened(page, embedding)
    expect(button(indicator)).to_have_text(evil)
    button(indicator).hover()
    expect(indicator.locator(".progress")).to_have_text(evil)
    embedding.append(task_id, TaskSucceeded(fence=1, response=evil), after=2)
    expect(indicator.locator(".response")).to_have_text(evil)
    assert page.evaluate("window.evil") is None


def test_a_click_keeps_open_what_the_pointer_opened_and_another_closes_it(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED)
    indicator = opened(page, embedding)
    button(indicator).click()  # the pointer comes over it first
    expect(indicator.get_by_role("link")).to_be_visible()
    button(indicator).click()
    expect(indicator.get_by_role("link")).to_be_hidden()


def test_list_and_messages_are_seen_whatever_the_page_around_is_like(page: Page, embedding: Embedding) -> None:
    task_id = embedding.record(STARTED, HALF)
    embedding.record(STARTED)
    indicator = opened(page, embedding)
    expect(button(indicator)).to_be_visible()
    page.evaluate("""() => Object.assign(document.querySelector("p").style, {
        position: "absolute", right: "0", bottom: "0", overflow: "hidden", height: "40px", lineHeight: "80px",
        transform: "translateX(0)", filter: "blur(0)", textTransform: "uppercase", letterSpacing: "9px", zIndex: "-1"
    })""")
    page.keyboard.press("Tab")
    expect(indicator.get_by_role("link").first).to_be_in_viewport(ratio=1)
    expect(indicator.locator(".panel")).to_be_in_viewport(ratio=1)
    expect(indicator.locator(".panel")).to_have_css("text-transform", "none")
    embedding.append(task_id, DONE, after=2)
    expect(indicator.locator(".toast")).to_be_in_viewport(ratio=1)
    expect(indicator.locator(".toast")).to_have_css("letter-spacing", "normal")
    indicator.get_by_role("button", name="Close").click()
    expect(indicator.locator(".toast")).to_have_count(0)


def test_a_success_passes_a_failure_stays_and_what_found_no_room_is_counted(page: Page, embedding: Embedding) -> None:
    page.clock.install(time=datetime.now(UTC))
    tasks = [embedding.record(STARTED) for _ in range(5)]
    indicator = opened(page, embedding)
    eventually(lambda: page.clock.run_for(300) or button(indicator).is_visible())
    for task_id in tasks[:4]:
        embedding.append(task_id, DONE, after=1)
    eventually(lambda: page.clock.run_for(100) or len(heard(page, "finished")) == 4)
    expect(indicator.locator(".toast")).to_have_count(3)
    expect(indicator.get_by_role("link", name="and 1 more")).to_be_visible()
    embedding.append(tasks[4], TaskFailed(cause=Cause.ERROR, message="The template is gone."), after=1)
    eventually(lambda: page.clock.run_for(100) or len(heard(page, "finished")) == 5)
    page.clock.run_for(60_000)
    expect(indicator.locator(".toast")).to_have_count(1)
    expect(indicator.locator(".toast")).to_contain_text("The template is gone.")
    indicator.get_by_role("button", name="Close").click()
    expect(indicator.get_by_role("link", name="more")).to_be_hidden()


def test_a_page_behind_others_leaves_it_to_one_that_is_seen_to_tell(page: Page, embedding: Embedding) -> None:
    task_id = embedding.record(STARTED)
    behind, seen = page, page.context.new_page()
    for tab in (behind, seen):
        expect(button(opened(tab, embedding))).to_be_visible()
    behind.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.isHidden ?? true })")
    embedding.append(task_id, DONE, after=1)
    expect(button(behind.locator("batch-task-indicator"))).to_be_hidden()
    eventually(lambda: heard(seen, "finished"))
    assert heard(seen, "finished")[0]["first"] is True
    behind.evaluate("() => { window.isHidden = false; document.dispatchEvent(new Event('visibilitychange')); }")
    eventually(lambda: heard(behind, "finished"))
    assert heard(behind, "finished")[0]["first"] is False


def test_wheels_turn_unless_the_user_wants_little_motion(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED)
    wheel = opened(page, embedding).locator(".wheel").first
    expect(wheel).to_have_css("animation-name", "turn")
    page.emulate_media(reduced_motion="reduce")
    expect(wheel).to_have_css("animation-name", "none")


def test_an_end_is_not_lost_while_the_connection_is_cut(page: Page, embedding: Embedding) -> None:
    task_id = embedding.record(STARTED)
    with (
        proxied(int(embedding.server.rsplit(":", 1)[1])) as proxy,
        other_origin(page=embedded(f"http://127.0.0.1:{proxy.port}", f'token="{embedding.token}"')) as origin,
    ):
        page.goto(f"{origin}/page")
        expect(button(page.locator("batch-task-indicator"))).to_be_visible()
        proxy.stall()
        proxy.cut()
        embedding.append(task_id, HALF, DONE, after=1)
        proxy.resume()
        eventually(lambda: heard(page, "finished"))
        proxy.cut()
        another = embedding.record(STARTED)
        eventually(lambda: heard(page, "started"))
        assert [event["id"] for event in heard(page)] == [str(task_id), str(another)]


def test_a_page_that_nobody_looks_at_gives_its_connection_back_and_catches_up_later(
    page: Page, embedding: Embedding
) -> None:
    task_id = embedding.record(STARTED)
    page.clock.install()
    indicator = opened(page, embedding)
    expect(button(indicator)).to_be_visible()
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.isHidden ?? false })")
    turn = "(hidden) => { window.isHidden = hidden; document.dispatchEvent(new Event('visibilitychange')); }"
    with page.expect_event("requestfailed"):
        page.evaluate(turn, True)
        page.clock.run_for(11_000)
    embedding.append(task_id, DONE, after=1)
    page.clock.run_for(120_000)
    assert heard(page) == []
    page.evaluate(turn, False)
    eventually(lambda: page.clock.run_for(500) or heard(page, "finished"))


@pytest.mark.parametrize("place", ["own origin", "origin of the same site"])
def test_whoever_is_logged_in_needs_no_token(page: Page, amqp_url: str, database_url: str, place: str) -> None:
    add_people(database_url)
    engine = make_engine(database_url)
    with engine.connect() as connection:
        bob = connection.execute(text("SELECT associate_id FROM crm7.associate WHERE name = 'bob'")).scalar_one()
    crm: dict[str, str] = {}
    with other_origin(crm=crm) as origin:
        app = create_app(Settings(amqp_url=amqp_url, database_url=database_url, web_origins=origin))
        with served(app) as served_at:
            server = served_at.replace("127.0.0.1", "localhost")
            crm |= embedded(server, "")
            record(engine, STARTED, DONE, owner=bob)
            login = page.request.post(f"{server}/login", form={"name": "bob", "password": PASSWORD})
            assert login.ok
            if place == "own origin":
                page.goto(f"{server}/login")
                page.evaluate("import('/pages/indicator.js')")
                page.evaluate("document.body.append(document.createElement('batch-task-indicator'))")
            else:
                page.goto(f"{origin}/crm")
            expect(page.locator("batch-task-indicator .toast")).to_contain_text("Sleep – Done")
    engine.dispose()


@pytest.mark.parametrize("trouble", ["kept back", "refused"])
def test_where_streams_are_impossible_it_asks_now_and_then(page: Page, embedding: Embedding, trouble: str) -> None:
    def no_stream(route: Route) -> None:
        if trouble == "refused":
            route.fulfill(status=502, headers={"Access-Control-Allow-Origin": "*"})

    task_id = embedding.record(STARTED, HALF, name="mail-merge")
    embedding.record(STARTED, DONE)
    page.route("**/api/v2/live*", no_stream)
    page.clock.install(time=datetime.now(UTC))
    page.goto(f"{embedding.origin}/page")
    indicator = page.locator("batch-task-indicator")

    def passes(seconds: int) -> None:
        for _ in range(seconds):
            page.clock.run_for(1000)

    eventually(lambda: passes(1) or button(indicator).is_visible())
    embedding.append(task_id, DONE, after=2)
    embedding.record(STARTED, DONE, description="Between two looks")
    eventually(lambda: passes(5) or len(heard(page, "finished")) == 2)
    assert {event["first"] for event in heard(page, "finished")} == {True}
    expect(button(indicator)).to_be_hidden()


def test_without_a_stream_it_asks_every_half_minute_however_long_that_lasts(page: Page, embedding: Embedding) -> None:
    page.route("**/api/v2/live*", lambda route: route.fulfill(status=502))
    page.add_init_script("""
        window.asked = [];
        const real = window.fetch;
        window.fetch = (url, options) => {
            if (String(url).includes("tasks?state=")) window.asked.push(Date.now() / 1000);
            return real(url, options);
        };
    """)
    page.clock.install(time=datetime.now(UTC))
    page.goto(f"{embedding.origin}/page")

    def asked() -> list[float]:
        page.clock.run_for(3000)
        times: list[float] = page.evaluate("window.asked")
        return times

    eventually(lambda: len(asked()) > 12, seconds=60)
    waited = [after - before for before, after in pairwise(asked())]
    assert all(29 < seconds < 40 for seconds in waited), waited


def test_who_is_not_logged_in_sees_nothing_and_may_log_in_later(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED)
    indicator = opened(page, embedding, "nobody")
    expect(button(indicator)).to_be_hidden()
    page.evaluate(
        "(token) => document.querySelector('batch-task-indicator').getToken = async () => token", embedding.token
    )
    expect(button(indicator)).to_be_visible()


def test_another_user_sees_their_own_tasks(page: Page, embedding: Embedding) -> None:
    embedding.record(STARTED, description="Kari's")
    embedding.record(STARTED, description="Ola's", owner=embedding.ola)
    expect(button(opened(page, embedding, "ola"))).to_have_text("Ola's")


def test_a_page_brings_its_own_words_and_colours(page: Page, embedding: Embedding, tmp_path: Path) -> None:
    embedding.record(STARTED, HALF)
    indicator = opened(page, embedding)
    page.evaluate("""() => {
        const element = document.querySelector("batch-task-indicator");
        element.words = { started: "Kjører", oneInWords: (title) => `Oppgave: ${title}` };
        element.style.setProperty("--batch-wheels", "rgb(1, 2, 3)");
    }""")
    expect(button(indicator)).to_have_accessible_name("Oppgave: Sleep")
    button(indicator).hover()
    expect(indicator.locator(".state")).to_have_text("Kjører")
    expect(indicator.locator(".wheels")).to_have_css("fill", "rgb(1, 2, 3)")
