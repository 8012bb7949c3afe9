"""`make screenshots`: pictures of every page and state, from the real application in a real Chromium.

All go to `var/screenshots`, those of the README also to `docs/screenshots`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from batchtask.database import make_engine
from batchtask.http.web_users import set_password
from batchtask.local import provide
from batchtask.migrations import upgrade
from projections.queries import Queries
from tests.access_support import PASSWORD, add_people, id_of
from tests.browser import chromium, log_in, visitor
from tests.crm_support import add_user, crm_rows
from tests.page_operations import add_schedules, add_statistics, add_workers
from tests.page_tasks import busy_morning, record_story
from tests.screenshots.shots import NEWCOMER, SHOTS, USER, Shot
from tests.system import ROOT, running_system

FOLDER = ROOT / "var" / "screenshots"
README = ROOT / "docs" / "screenshots"

Numbers = Mapping[str, int]  #: of tasks, by what they are called


def main(wanted: list[str]) -> int:
    """Take all pictures, or those whose names are given."""
    shots = [shot for shot in SHOTS if not wanted or shot.name in wanted]
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    README.mkdir(exist_ok=True)
    with _application() as (url, numbers), chromium(FOLDER / "chromium") as browser:
        studio = Studio(browser, url, numbers)
        for shot in shots:
            for theme in shot.themes:
                print(studio.take(shot, theme).relative_to(ROOT))  # noqa: T201
    return 0


@contextmanager
def _application() -> Iterator[tuple[str, Numbers]]:
    """Run a web process on a database with a busy morning in it."""
    with provide(FOLDER / "servers", os.environ, announce=print, durable=False, management=True) as services:
        upgrade(services.database_url)
        numbers = _fill(services.database_url)
        with running_system(services.amqp_url, services.database_url, FOLDER / "servers") as system:
            # Nobody really works on the tasks of the story: nothing may find that out.
            system.projections(reconcile_seconds=86_400).wait_ready()
            web = system.web(management_url=services.management_url or "")
            web.wait_ready()
            yield web.url, numbers
            system.close()


def _fill(database_url: str) -> Numbers:
    add_people(database_url)
    with crm_rows(database_url) as add:
        add_user(add, NEWCOMER)
    engine = make_engine(database_url)
    set_password(engine, NEWCOMER, PASSWORD)
    now = datetime.now(UTC)
    ids = record_story(engine, id_of(engine, USER), busy_morning(now), now)
    add_workers(engine, now)
    add_statistics(engine, now)
    add_schedules(engine)
    rows = Queries(engine).by_ids(list(ids.values()))
    engine.dispose()
    return {row.description: row.batchtask_id for row in rows}


class Studio:
    """Takes pictures, as one user or the other; each logs in once.

    Args:
        browser: Takes them.
        url: Of the application.
        numbers: Of its tasks.
    """

    def __init__(self, browser: Browser, url: str, numbers: Numbers) -> None:
        self._browser = browser
        self._url = url
        self._numbers = numbers
        self._sessions: dict[str | None, Any] = {None: None}

    def take(self, shot: Shot, theme: str) -> Path:
        """Take one picture; the page stands still in it."""
        path = re.sub(r"\{(.*?)\}", lambda found: str(self._numbers[found[1]]), shot.path)
        target = FOLDER / f"{shot.name}-{theme}.png"
        look = {"color_scheme": theme, "viewport": shot.screen, "reduced_motion": "reduce"}
        with visitor(self._browser, self._url, storage_state=self._session(shot.user), **look) as page:
            page.goto(path or "./")
            shot.prepare(page)
            page.evaluate("document.fonts.ready")
            page.screenshot(path=target, full_page=shot.whole, animations="disabled")
        if shot.readme and theme == shot.themes[0]:
            shutil.copy(target, README / f"{shot.name}.png")
        return target

    def _session(self, user: str | None) -> Any:
        """What a browser keeps of a user's login."""
        if user is not None and user not in self._sessions:
            with visitor(self._browser, self._url) as page:
                log_in(page, user, PASSWORD)
                self._sessions[user] = page.context.storage_state()
        return self._sessions[user]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
