"""My tasks, a task's page and the login in a real browser, before a system that works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from batchtask.definitions import CancellationBehaviour
from batchtask.events import (
    AttemptFailed,
    AttemptStarted,
    RetryScheduled,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
)
from batchtask.outcomes import Cause
from tests.access_support import PASSWORD
from tests.browser import PHONE, log_in, visitor
from tests.desk_with_pages import PageDesk
from tests.page_tasks import Told
from tests.web_support import append

STARTED = AttemptStarted(attempt=1, fence=1, worker="w/1/a", delivery_id="d")
SCRIPT = '<img src=x onerror="window.harmed = true">'


@pytest.fixture
def page(browser: Browser, desk: PageDesk) -> Iterator[Page]:
    """Bob's list of tasks."""
    with visitor(browser, desk.url) as page:
        log_in(page, "bob", PASSWORD)
        expect(page.get_by_text("Live")).to_be_visible()
        yield page


def item(page: Page, title: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_role("heading", name=title, exact=True))


def open_task(page: Page, title: str) -> None:
    item(page, title).get_by_role("heading").get_by_role("link").click()


def test_a_wrong_password_is_told_and_the_right_one_leads_where_one_wanted_to_go(
    browser: Browser, desk: PageDesk
) -> None:
    with visitor(browser, desk.url) as page:
        page.goto("tasks/999999?from=mail")
        page.get_by_label("User name").fill("bob")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("User name or password is wrong. Check both and try again.")
        page.get_by_label("User name").fill("bob")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="No such task")).to_be_visible()
        assert page.url == f"{desk.url}/tasks/999999?from=mail"


def test_a_login_leads_where_one_wanted_to_go_though_no_script_ran_yet(browser: Browser, desk: PageDesk) -> None:
    with visitor(browser, desk.url, java_script_enabled=False) as page:
        log_in(page, "bob", PASSWORD, "login?next=/tasks/999999")
        assert page.url == f"{desk.url}/tasks/999999"


def test_a_task_starts_progresses_and_ends_in_the_list_without_a_reload(page: Page, desk: PageDesk) -> None:
    page.evaluate("window.unchanged = true")
    task_id = desk.submit("gate", "Autumn letter")
    expect(item(page, "Autumn letter")).to_contain_text("Running")
    expect(page.get_by_role("button", name="Batch task in progress: Autumn letter")).to_be_visible()
    expect(page).to_have_title("(1) My tasks")

    desk.system.open_gates(task_id)

    expect(item(page, "Autumn letter")).to_contain_text("Done")
    expect(page.locator("#spoken")).to_contain_text("Done: Autumn letter.")
    expect(page).to_have_title("My tasks")
    assert page.evaluate("window.unchanged")


def test_a_task_is_stopped_after_its_warning_was_read(page: Page, desk: PageDesk) -> None:
    warned = {"cancellation": int(CancellationBehaviour.CancelWithWarning)}
    never = {"cancellation": int(CancellationBehaviour.CannotCancel)}
    desk.record(Told("publish", "New fields", 5, more=warned), Told("sleep", "Untouchable", 5, more=never))
    page.reload()
    expect(item(page, "Untouchable")).to_be_visible()
    expect(item(page, "Untouchable").get_by_role("button")).to_have_count(0)
    item(page, "New fields").get_by_role("button", name="Stop New fields").click()
    dialog = page.get_by_role("dialog", name="Stop this task?")
    expect(dialog.get_by_role("status")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(item(page, "New fields")).to_contain_text("Waiting")

    item(page, "New fields").get_by_role("button").click()
    dialog.get_by_role("button", name="Stop task").click()

    expect(item(page, "New fields")).to_contain_text("Stopped")


def test_another_application_of_the_host_that_overwrites_our_cookie_stops_nobody(page: Page, desk: PageDesk) -> None:
    desk.record(Told("sleep", "A nap", 5))
    page.reload()
    page.context.add_cookies([{"name": "XSRF-TOKEN", "value": "of%20another", "url": desk.url}])
    item(page, "A nap").get_by_role("button", name="Stop A nap").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop task").click()
    expect(item(page, "A nap")).to_contain_text("Stopped")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    assert page.request.get(f"{desk.url}/api/v2/me").status == 401


def test_a_failure_is_explained_in_plain_words_and_a_traceback_is_for_administrators(
    page: Page, browser: Browser, desk: PageDesk
) -> None:
    broken = AttemptFailed(fence=1, cause=Cause.ERROR, message="No such file.", detail="Traceback: line 7")
    failed = TaskFailed(cause=Cause.ERROR, message="The template is missing.")
    desk.record(Told("mail-merge", "Reminders", 60, [(50, STARTED), (40, broken), (40, failed)]))
    page.reload()
    item(page, "Reminders").get_by_text("Why did it fail?").click()
    advice = "What you can do: Mend what it names, then start it again in the CRM."
    expect(item(page, "Reminders")).to_contain_text(advice)

    open_task(page, "Reminders")
    expect(page.get_by_text("Failed for good: The template is missing.")).to_be_visible()
    expect(page.get_by_text("Details")).to_have_count(0)
    expect(page.get_by_role("button", name="Start again")).to_have_count(0)

    with visitor(browser, desk.url) as administrators:
        log_in(administrators, "Ann", PASSWORD, page.url)
        administrators.get_by_text("Details").click()
        expect(administrators.get_by_text("Traceback: line 7")).to_be_visible()
        expect(administrators.get_by_role("button", name="Start again")).to_be_visible()


def test_a_task_can_be_followed_on_its_page_and_removed_there_when_it_has_ended(page: Page, desk: PageDesk) -> None:
    task_id = desk.submit("gate", "Company list")
    open_task(page, "Company list")
    expect(page.get_by_text("Attempt 1 started")).to_be_visible()

    desk.system.open_gates(task_id)

    expect(page.get_by_text("Succeeded: went through")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="My tasks")).to_be_visible()
    expect(item(page, "Company list")).to_have_count(0)


def test_a_task_that_was_asked_to_stop_says_so_on_every_page_until_it_has(
    page: Page, browser: Browser, desk: PageDesk
) -> None:
    ids = desk.record(Told("sleep", "On its way out", 30, [(29, STARTED)]))
    page.reload()
    stop = page.get_by_role("button", name="Stop On its way out")
    stop.click()
    page.get_by_role("dialog", name="Stop this task?").get_by_role("button", name="Stop task").click()
    expect(item(page, "On its way out")).to_contain_text("Stopping…")
    page.reload()
    expect(item(page, "On its way out")).to_contain_text("Stopping…")
    expect(item(page, "On its way out").get_by_role("button")).to_have_count(0)
    indicator = page.locator("batch-task-indicator")
    indicator.get_by_role("button").first.hover()
    expect(indicator.get_by_role("listitem").filter(has_text="On its way out")).to_contain_text("Stopping…")
    open_task(page, "On its way out")
    expect(page.locator(".meta")).to_contain_text("Stopping…")
    expect(stop).to_have_count(0)
    with visitor(browser, desk.url) as administrators:
        log_in(administrators, "Ann", PASSWORD, "operations?view=tasks&state=started")
        row = administrators.get_by_role("row").filter(has_text="On its way out")
        expect(row).to_contain_text("Stopping…")
        row.get_by_role("checkbox").check()
        expect(administrators.get_by_text("1 chosen")).to_be_visible()
        expect(administrators.get_by_role("button", name="Stop 1")).to_have_count(0)

    append(desk.system.engine, ids["On its way out"], [TaskCancelled(requested_by=desk.bob)], after=2)

    page.reload()
    expect(page.locator(".meta")).to_contain_text("Stopped")


def test_a_file_that_is_gone_is_told_in_a_sentence(page: Page, desk: PageDesk) -> None:
    made = TaskSucceeded(fence=1, response="Made.", file_name="letters.docx")
    desk.record(Told("mail-merge", "Letters of long ago", 30, [(29, STARTED), (3, made)]))
    page.reload()
    item(page, "Letters of long ago").get_by_role("link", name="Download").click()
    expect(page.get_by_text("The file 'letters.docx' is no longer there; submit the task again")).to_be_visible()


def test_times_are_those_of_whoever_looks(browser: Browser, desk: PageDesk) -> None:
    due = datetime(2027, 3, 4, 23, 30, tzinfo=UTC)
    later = RetryScheduled(due_at=due, cause=Cause.ERROR, failures=1)
    broken = AttemptFailed(fence=1, cause=Cause.ERROR, message="No answer.")
    desk.record(Told("inbox", "Tried again in spring", 9, [(8, STARTED), (7, broken), (7, later)]))
    with visitor(browser, desk.url, timezone_id="Asia/Tokyo") as page:
        log_in(page, "bob", PASSWORD)
        open_task(page, "Tried again in spring")
        expect(
            page.get_by_text("The next attempt is due at 5 Mar 2027, 08:30:00, because it failed.")
        ).to_be_visible()


def test_a_long_sentence_is_folded(page: Page, desk: PageDesk) -> None:
    message = "It could not be done. " + "Because of this and that. " * 60 + "The very end."
    broken = AttemptFailed(fence=1, cause=Cause.ERROR, message=message)
    desk.record(Told("sleep", "Talkative", 9, [(8, STARTED), (7, broken)]))
    page.reload()
    open_task(page, "Talkative")
    whole = page.get_by_role("list").get_by_text("The very end.")
    expect(whole).to_be_hidden()
    page.get_by_role("list").get_by_text("Show all").click()
    expect(whole).to_be_visible()


def test_log_lines_are_shown_and_can_be_narrowed_to_what_is_serious(page: Page, desk: PageDesk) -> None:
    desk.submit("talk", "Talking")
    open_task(page, "Talking")
    log = page.get_by_role("list", name="Log lines")
    expect(log).to_contain_text("reading the list")
    page.get_by_label("Lines to show").select_option("Warnings and errors")
    expect(log).not_to_contain_text("reading the list")
    expect(log).to_contain_text("a bad")


def test_of_a_long_log_the_end_is_drawn_and_the_rest_on_request(page: Page, desk: PageDesk) -> None:
    lines = [(29 - number / 100, 20, f"line {number}.") for number in range(1_500)]
    desk.record(Told("sleep", "Chatty", 30, [(29, STARTED)], lines))
    page.reload()
    open_task(page, "Chatty")
    log = page.get_by_role("list", name="Log lines")
    log.scroll_into_view_if_needed()
    expect(log.get_by_text("line 1499.", exact=True)).to_be_in_viewport()
    expect(log.get_by_text("line 10.", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Show 500 earlier lines").click()
    expect(log.get_by_text("line 0.", exact=True)).to_be_in_viewport()
    expect(log.get_by_text("line 1499.", exact=True)).to_have_count(1)
    expect(page.get_by_role("button", name="earlier lines")).to_be_hidden()


def test_what_users_write_is_text_and_never_a_page(page: Page, desk: PageDesk) -> None:
    failed = TaskFailed(cause=Cause.ERROR, message=SCRIPT)
    happened = [(9.0, STARTED), (8.0, AttemptFailed(fence=1, cause=Cause.ERROR, message=SCRIPT)), (8.0, failed)]
    desk.record(Told("sleep", SCRIPT, 10, happened, [(9, 20, SCRIPT)], {"parameters": {"who": SCRIPT}}))
    page.reload()
    open_task(page, SCRIPT)
    for place in (page.get_by_role("heading", name=SCRIPT), page.get_by_role("list", name="Log lines")):
        expect(place).to_contain_text(SCRIPT)
    expect(page.locator("img")).to_have_count(0)
    assert page.evaluate("window.harmed") is None


def test_a_lost_network_is_told_at_once_and_a_found_one_brings_what_happened(page: Page, desk: PageDesk) -> None:
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.get_by_text("No connection to the server since")).to_be_visible()
    desk.record(Told("report", "Meanwhile", 1))
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(item(page, "Meanwhile")).to_be_visible()
    expect(page.get_by_text("No connection to the server since")).to_have_count(0)


def test_the_list_goes_on_where_it_was_when_the_session_is_over(page: Page) -> None:
    page.context.clear_cookies()
    page.get_by_label("Kind of task").select_option(index=1)
    page.wait_for_url("**/login?next=%2F")


def test_the_keyboard_reaches_everything_and_a_phone_shows_it(browser: Browser, desk: PageDesk) -> None:
    desk.record(Told("report", "Sales of May", 30))
    with visitor(browser, desk.url, viewport=PHONE) as page:
        log_in(page, "bob", PASSWORD)
        stop = page.get_by_role("button", name="Stop Sales of May")
        expect(stop).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(60):
            page.keyboard.press("Tab")
            if stop.evaluate("element => element === document.activeElement"):
                return
    pytest.fail("Tab never came to the button that stops the task")
