"""Every picture that is taken: which page, as whom, on which screen, and what is done before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from tests.browser import DESKTOP, PHONE

WIDE = {"width": 1500, "height": 950}

ADMINISTRATOR, USER, NEWCOMER = "Ann", "bob", "eve"

Prepare = Callable[[Page], None]


@dataclass(frozen=True)
class Shot:
    """One picture; its name is the file's."""

    name: str
    path: str  #: below the application; `{…}` is the number of the task that is called so
    user: str | None = USER  #: None = nobody is logged in
    prepare: Prepare = lambda page: None
    themes: tuple[str, ...] = ("light", "dark")
    screen: dict[str, int] = field(default_factory=lambda: DESKTOP)
    whole: bool = True  #: the whole page, not only what the screen shows
    readme: bool = False  #: stands in the README, in its first theme


def shown(text: str) -> Prepare:
    """Wait until a text can be seen."""
    return lambda page: expect(page.get_by_text(text).first).to_be_visible()


def stopping(page: Page) -> None:
    page.get_by_role("button", name="Stop Autumn letter, 240 recipients").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def explained(page: Page) -> None:
    page.get_by_text("Why did it fail?").first.click()
    expect(page.get_by_text("What you can do:").first).to_be_visible()


def mistyped(page: Page) -> None:
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def unfolded(page: Page) -> None:
    page.locator("batch-task-indicator").get_by_role("button").hover()
    expect(page.locator("batch-task-indicator").get_by_role("list")).to_be_visible()


def offline(page: Page) -> None:
    shown("Autumn letter, 240 recipients")(page)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.get_by_text("Offline")).to_be_visible()


def charted(page: Page) -> None:
    expect(page.get_by_text("Whole period: done")).to_be_visible()
    expect(page.get_by_text("crm-batch-2").first).to_be_visible()


def pausing(page: Page) -> None:
    charted(page)
    page.get_by_role("button", name="Pause all workers").click()
    page.get_by_label("Reason").fill("Moving the database to another machine")


def stopping_all(page: Page) -> None:
    page.get_by_role("button", name="Stop all matching open tasks").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def adding(page: Page) -> None:
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_label("Name").fill("reminders-weekly")


SHOTS = [
    Shot("login", "login", user=None),
    Shot("login-refused", "login", user=None, prepare=mistyped, themes=("light",)),
    Shot("tasks", "", prepare=shown("Autumn letter, 240 recipients")),
    Shot("tasks-phone", "", prepare=shown("Autumn letter, 240 recipients"), screen=PHONE),
    Shot("tasks-why", "", prepare=explained, themes=("light",)),
    Shot("tasks-stop", "", prepare=stopping, whole=False),
    Shot("tasks-indicator", "", prepare=unfolded, whole=False, readme=True),
    Shot("tasks-offline", "", prepare=offline, whole=False, themes=("light",)),
    Shot("tasks-empty", "", user=NEWCOMER, prepare=shown("No tasks yet")),
    Shot("task-running", "tasks/{Autumn letter, 240 recipients}", prepare=shown("Submitted by bob")),
    Shot("task-failed", "tasks/{Dunning letters for November}", prepare=shown("What you can do:"), readme=True),
    Shot("task-failed-phone", "tasks/{Dunning letters for November}", prepare=shown("What you can do:"),
         screen=PHONE, themes=("light",)),
    Shot("task-done", "tasks/{Spring letters to 250 companies}", prepare=shown("238 letters were merged")),
    Shot("task-administrator", "tasks/{Dunning letters for November}", user=ADMINISTRATOR,
         prepare=shown("What you can do:"), themes=("light",)),
    Shot("operations", "operations", user=ADMINISTRATOR, prepare=charted, screen=WIDE, readme=True),
    Shot("operations-phone", "operations", user=ADMINISTRATOR, prepare=charted, screen=PHONE, themes=("light",)),
    Shot("operations-pause", "operations", user=ADMINISTRATOR, prepare=pausing, screen=WIDE, whole=False,
         themes=("light",)),
    Shot("operations-tasks", "operations?view=tasks", user=ADMINISTRATOR,
         prepare=shown("Dunning letters for November"), screen=WIDE),
    Shot("operations-tasks-phone", "operations?view=tasks", user=ADMINISTRATOR,
         prepare=shown("Dunning letters for November"), screen=PHONE, themes=("light",)),
    Shot("operations-tasks-stop", "operations?view=tasks&state=waiting", user=ADMINISTRATOR, prepare=stopping_all,
         screen=WIDE, whole=False, themes=("light",)),
    Shot("operations-dead", "operations?view=dead", user=ADMINISTRATOR, prepare=shown("By kind and cause"),
         screen=WIDE),
    Shot("operations-schedules", "operations?view=schedules", user=ADMINISTRATOR,
         prepare=shown("monitors-nightly"), screen=WIDE),
    Shot("operations-schedules-add", "operations?view=schedules", user=ADMINISTRATOR, prepare=adding, screen=WIDE,
         whole=False, themes=("dark",)),
    Shot("operations-refused", "operations", prepare=shown("This page is for administrators"), themes=("light",)),
    Shot("task-unknown", "tasks/999999", prepare=shown("No such task"), themes=("light",)),
]  # fmt: skip
