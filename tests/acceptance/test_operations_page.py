"""The page Operations in a real browser, before a system that works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from batchtask.events import AttemptFailed, AttemptStarted, TaskFailed
from batchtask.outcomes import Cause
from tests.access_support import PASSWORD
from tests.browser import PHONE, log_in, visitor
from tests.desk_with_pages import PageDesk
from tests.page_tasks import Told

STARTED = AttemptStarted(attempt=1, fence=1, worker="w/1/a", delivery_id="d")
SCRIPT = '<img src=x onerror="window.harmed = true">'


def failed(name: str, description: str, message: str = "It broke.", ago: float = 60) -> Told:
    end = TaskFailed(cause=Cause.ERROR, message=message)
    attempt = AttemptFailed(fence=1, cause=Cause.ERROR, message=message)
    return Told(name, description, ago, [(ago - 1, STARTED), (ago - 2, attempt), (ago - 2, end)])


@pytest.fixture
def page(browser: Browser, desk: PageDesk) -> Iterator[Page]:
    """The first view, as an administrator sees it."""
    with visitor(browser, desk.url) as page:
        log_in(page, "Ann", PASSWORD, "operations")
        yield page


def figure(page: Page, name: str) -> Locator:
    term = page.get_by_role("term").filter(has_text=name)
    return page.locator(".figure").filter(has=term).locator("dd").first


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def test_figures_workers_and_queues_say_what_is_so(page: Page, desk: PageDesk) -> None:
    expect(figure(page, "Workers")).to_have_text("1")
    task_id = desk.submit("gate", "Somebody's letters")
    expect(figure(page, "Running")).to_have_text("1", timeout=10_000)
    expect(row(page, "Working").get_by_role("link", name="Somebody's letters")).to_be_visible()
    expect(row(page, "batchtask.tasks").locator('[data-label="Consumers"]')).to_have_text("1")
    expect(page.get_by_text("Whole period: done")).to_be_visible()
    desk.system.open_gates(task_id)
    expect(figure(page, "Running")).to_have_text("0", timeout=10_000)


def test_a_pause_stops_all_workers_and_says_who_and_why(page: Page, desk: PageDesk) -> None:
    page.get_by_role("button", name="Pause all workers").click()
    page.get_by_label("Reason").fill("moving the database")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Ann paused all workers on")).to_contain_text(
        ": moving the database. Nothing waits yet."
    )
    expect(row(page, "Paused")).to_be_visible()
    desk.system.wait(lambda: any("worker paused" in part.output for part in desk.system.parts))
    task_id = desk.submit("noop", "Waits for the end of the pause")

    page.get_by_role("button", name="Resume all workers").click()

    expect(page.get_by_role("status").filter(has_text="paused all workers")).to_have_count(0)
    desk.system.wait_finished(task_id)


def test_a_chart_can_be_read_by_the_keyboard_and_as_a_table(page: Page) -> None:
    chart = page.get_by_role("figure").filter(has=page.get_by_role("heading", name="Tasks"))
    plot = chart.get_by_role("img")
    expect(chart.get_by_text("Whole period:")).to_be_visible()
    plot.press("ArrowLeft")
    expect(chart.get_by_text("From ").first).to_be_visible()
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("row")).to_have_count(145)  # a day in points of ten minutes, and the head
    page.get_by_label("1 h").check(force=True)
    expect(chart.get_by_role("row")).to_have_count(61)


def test_dead_tasks_are_grouped_and_those_of_a_group_begin_anew_after_they_were_counted(
    page: Page, desk: PageDesk
) -> None:
    desk.record(*(failed("noop", f"Broken {number}") for number in range(3)), failed("stamp", "Another", "Other."))
    page.get_by_role("link", name="Failed and stopped").click()
    group = row(page, "It broke.").filter(has=page.get_by_role("button", name="Show"))
    expect(group).to_contain_text("3")
    group.get_by_role("button", name="Start again").click()
    expect(page.get_by_role("dialog", name="Start 3 tasks again?")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Leave them").click()
    expect(group).to_contain_text("3")

    group.get_by_role("button", name="Start again").click()
    page.get_by_role("dialog").get_by_role("button", name="Start again").click()

    expect(group).to_have_count(0)
    expect(row(page, "Another")).to_be_visible()


def test_tasks_of_all_are_filtered_by_state_and_owner_and_the_address_says_so(page: Page, desk: PageDesk) -> None:
    desk.record(Told("quarterly", "Figures of May", 30), failed("quarterly", "Figures of April"))
    page.get_by_role("link", name="Tasks", exact=True).click()
    expect(row(page, "Figures of May")).to_be_visible()
    page.get_by_label("State").select_option("Failed")
    expect(row(page, "Figures of May")).to_have_count(0)
    row(page, "Figures of April").get_by_role("button", name="bob").click()
    page.wait_for_url(f"**/operations?view=tasks&state=failed&owner={desk.bob}")
    page.reload()
    expect(row(page, "Figures of April")).to_be_visible()
    expect(page.get_by_role("button", name="of bob")).to_be_visible()


def test_chosen_tasks_are_stopped_together(page: Page, desk: PageDesk) -> None:
    desk.record(*(Told("weekly", f"Weekly {number}", 20) for number in range(3)))
    page.goto("operations?view=tasks&state=waiting")
    for number in range(2):
        row(page, f"Weekly {number}").get_by_role("checkbox").check()
    page.get_by_role("button", name="Stop 2").click()
    page.get_by_role("dialog", name="Stop 2 tasks?").get_by_role("button", name="Stop them").click()
    expect(row(page, "Weekly 0")).to_have_count(0, timeout=10_000)
    expect(row(page, "Weekly 2")).to_be_visible()


def test_older_tasks_come_page_by_page(page: Page, desk: PageDesk) -> None:
    desk.record(*(failed("monthly", f"Monthly {number:02}") for number in range(60)))
    page.goto("operations?view=tasks&name=monthly")
    expect(page.get_by_role("row")).to_have_count(51)
    page.get_by_role("button", name="Show older tasks").click()
    expect(row(page, "Monthly 00")).to_be_visible()
    expect(page.get_by_role("button", name="Show older tasks")).to_be_hidden()

    desk.record(failed("monthly", "Monthly 60"))

    expect(row(page, "Monthly 60")).to_be_visible(timeout=10_000)
    expect(row(page, "Monthly 00")).to_be_hidden()
    expect(page.get_by_role("button", name="Show older tasks")).to_be_visible()


def test_a_task_is_opened_by_its_number_or_its_id(page: Page, desk: PageDesk) -> None:
    ids = desk.record(failed("noop", "The one that was called about"))
    page.get_by_role("link", name="Tasks", exact=True).click()
    field = page.get_by_label("Open a task by its number or id")
    field.fill(f" {ids['The one that was called about']} ")
    field.press("Enter")
    expect(page.get_by_role("heading", name="The one that was called about")).to_be_visible()
    page.go_back()
    field.fill("No. 999999")
    field.press("Enter")
    expect(page.get_by_role("heading", name="No such task")).to_be_visible()


def test_schedules_are_added_paused_and_removed_and_what_does_not_fit_is_told(page: Page) -> None:
    page.goto("operations?view=schedules")
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("Task", exact=True).select_option("noop")
    page.get_by_label("Parameters").fill("{oops")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The parameters are no JSON.")
    page.get_by_label("Parameters").fill("{}")
    page.get_by_label("When").fill("61 * * * *")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("61")
    page.get_by_label("When").fill("30 2 * * *")
    page.keyboard.press("Enter")
    expect(row(page, "nightly")).to_be_visible()

    page.get_by_role("button", name="Pause nightly").click()
    expect(row(page, "nightly")).to_contain_text("Paused")
    page.get_by_role("button", name="Remove nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There is no schedule yet.")).to_be_visible()


def test_what_tasks_say_is_text_in_every_view(page: Page, desk: PageDesk) -> None:
    desk.record(failed("sleep", SCRIPT, SCRIPT))
    for view in ("tasks", "dead"):
        page.goto(f"operations?view={view}")
        expect(row(page, SCRIPT).first).to_be_visible()
        expect(page.locator("img:not([role])")).to_have_count(0)
        assert page.evaluate("window.harmed") is None


def test_who_is_no_administrator_reads_that_in_a_sentence(browser: Browser, desk: PageDesk) -> None:
    with visitor(browser, desk.url, viewport=PHONE) as page:
        log_in(page, "bob", PASSWORD, "operations?view=dead")
        expect(page.get_by_text("This page is for administrators.")).to_be_visible()


def test_a_phone_shows_every_view_without_scrolling_sideways(browser: Browser, desk: PageDesk) -> None:
    desk.record(failed("sleep", "A long description that goes on and on until it fits into no line any more"))
    with visitor(browser, desk.url, viewport=PHONE) as page:
        log_in(page, "Ann", PASSWORD, "operations")
        for view in ("", "?view=tasks", "?view=dead", "?view=schedules"):
            page.goto(f"operations{view}")
            expect(page.get_by_role("table").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
