"""A real Chromium, and visitors that look at the pages with it and notice whatever goes wrong on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from batchtask.local import SourceFailed
from batchtask.local.chromium import FLAGS, chromium_installation
from batchtask.local.debian import is_debian

#: Pixels; a phone of a common size.
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
#: What Chromium says of an answer that a page handles, and of a connection that a test cuts on purpose.
_EXPECTED = ("Failed to load resource", "net::ERR_")


@contextmanager
def chromium(directory: Path) -> Iterator[Browser]:
    """Run a browser for as long as the context lasts. Skips the test where none can be had, but never in CI."""
    try:
        found = chromium_installation(directory, os.environ, print)
    except SourceFailed as failure:
        if os.environ.get("CI") == "true" and is_debian(os.environ):
            raise
        pytest.skip(f"THE PAGES ARE NOT TESTED, because there is no Chromium: {failure}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.program, args=list(FLAGS), env={**os.environ, **found.environ}
        )
        yield browser
        browser.close()


@contextmanager
def visitor(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Give a page of a browser without a past; fails at its end if anything was thrown or refused on the way.

    Nor may a page of ours ask anybody but the application.

    Args:
        url: Of the application; paths that the page is sent to are below it.
        options: Of the browser's context, such as `viewport=PHONE` or `color_scheme="dark"`.
    """
    context = browser.new_context(base_url=url, **({"viewport": DESKTOP, "locale": "en-GB"} | options))
    complaints = _complaints(context, url)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert complaints == []


def _complaints(context: BrowserContext, url: str) -> list[str]:
    """Collect what the console says of pages of ours: exceptions, refused scripts and styles, warnings."""
    found: list[str] = []
    context.on("request", lambda request: request.url.startswith((url, "data:")) or found.append(request.url))

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: found.append(str(error)))
        page.on("console", lambda message: _note(found, message.type, message.text))

    context.on("page", listen)
    return found


def _note(found: list[str], kind: str, text: str) -> None:
    if kind in {"error", "warning"} and not any(part in text for part in _EXPECTED):
        found.append(text)


def log_in(page: Page, name: str, password: str, path: str = "") -> None:
    """Open a page as somebody, through the login page."""
    page.goto(path or "./")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)
