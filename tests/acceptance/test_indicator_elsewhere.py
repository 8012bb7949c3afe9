"""A page of another origin embeds the indicator of a real web process, and sees what a real worker does."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser import chromium
from tests.embedding import embedded, heard, other_origin, token_of
from tests.polling import eventually
from tests.system import System


def test_a_page_of_another_origin_sees_a_task_start_progress_and_finish(
    system: System, database_url: str, tmp_path: Path
) -> None:
    kari, token = token_of(database_url, "kari")
    web = system.web(web_origins="*")
    for part in (web, system.projections(), system.worker()):
        part.wait_ready()
    with (
        other_origin(crm=embedded(web.url, f'token="{token}"')) as origin,
        chromium(tmp_path) as browser,
    ):
        page = browser.new_page()
        with page.expect_response("**/api/v2/live"):
            page.goto(f"{origin}/crm")
        indicator = page.locator("batch-task-indicator")
        expect(indicator.get_by_role("button")).to_have_count(0)

        task_id = system.producer.submit("sleep", {"seconds": 4, "steps": 4}, owner=kari, description="Letters")
        expect(indicator.get_by_role("button", name="Batch task in progress: Letters")).to_be_visible()
        indicator.get_by_role("button").hover()
        expect(indicator.get_by_role("listitem")).to_contain_text("Running")
        expect(indicator.get_by_role("listitem")).to_contain_text("50 %")
        expect(indicator.locator(".toast")).to_contain_text("Letters – Done", timeout=20_000)
        expect(indicator.get_by_role("listitem")).to_have_count(0)
        eventually(lambda: heard(page, "finished"))
        assert {event["id"] for event in heard(page)} == {str(task_id)}
        assert heard(page, "started")
        assert len({event["percent"] for event in heard(page)}) > 2
        assert heard(page, "finished")[0]["first"] is True


def test_a_restarted_web_process_is_found_again_and_nothing_is_lost(
    system: System, database_url: str, tmp_path: Path
) -> None:
    kari, token = token_of(database_url, "kari")
    web = system.web(web_origins="*")
    for part in (web, system.projections(), system.worker()):
        part.wait_ready()
    port = int(web.url.rsplit(":", 1)[1])
    with (
        other_origin(crm=embedded(web.url, f'token="{token}"')) as origin,
        chromium(tmp_path) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{origin}/crm")
        task_id = system.producer.submit("sleep", {"seconds": 2}, owner=kari, description="Letters")
        indicator = page.locator("batch-task-indicator")
        expect(indicator.get_by_role("button", name="Letters")).to_be_visible()
        web.terminate()
        assert web.exit_code() == 0
        system.wait_finished(task_id)
        system.web(web_origins="*", web_port=port).wait_ready()
        expect(indicator.locator(".toast")).to_contain_text("Letters – Done", timeout=20_000)
        assert [event["id"] for event in heard(page, "finished")] == [str(task_id)]
