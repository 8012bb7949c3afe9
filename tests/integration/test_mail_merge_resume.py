"""A mail merge that dies goes on behind its last letter, and the document is that of a merge that did not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from batchtask.definitions import CancelledByRequest
from batchtask.demo.sample_crm import SampleCrm, write_sample_template
from batchtask.errors import LeaseLost, StoreUnavailable
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, Killed
from tests.letters_support import load_sample
from tests.mail_merge_support import Merged, paragraph, write_template
from worker.tasks.mail_merge import MailMerge, mail_merge, work

BODY = paragraph("{snum}: {name} {attn}")


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    return load_sample(database_url)


class Merge:
    """One merge of the sample's newsletter, over several attempts."""

    def __init__(self, context: FakeContext, selection_id: int, template: Path, output: str = "letters.docx") -> None:
        self.context = context
        self.parameters = MailMerge(template=str(template), selection_id=selection_id, file_name=output)
        self.result = context.folder / output

    def attempt(self) -> object:
        self.context.safe_points = 0
        return mail_merge.function(self.context, self.parameters)

    def killed_after(self, recipients: int) -> None:
        self.context.killed_after = recipients
        with pytest.raises(Killed):
            self.attempt()
        self.context.killed_after = None

    def drafts(self) -> list[Path]:
        return sorted(self.context.folder.glob(".letters-*/draft"), key=lambda path: path.stat().st_ctime_ns)


@pytest.fixture
def start(database_url: str, crm: SampleCrm, tmp_path: Path) -> Callable[..., Merge]:
    def start(name: str = "merge", body: str | None = BODY) -> Merge:
        folder = tmp_path / name
        folder.mkdir()
        template = tmp_path / "sample.docx"
        if body is not None:
            template = write_template(tmp_path, body)
        elif not template.exists():
            write_sample_template(template)
        context = FakeContext(database_url=database_url, folder=folder, archive_dir=tmp_path, owner=crm.associate_id)
        return Merge(context, crm.newsletter_selection_id, template)

    return start


@pytest.mark.parametrize("kills", [(1,), (120,), (249,), (3, 4, 5, 200)])
def test_the_document_is_that_of_a_merge_that_was_not_killed(
    kills: tuple[int, ...], start: Callable[..., Merge]
) -> None:
    whole, killed = start("whole", body=None), start("killed", body=None)
    answer = whole.attempt()

    for recipients in kills:
        killed.killed_after(recipients)

    assert killed.attempt() == Succeeded(
        response="238 letters; 12 left out: 7 no mailing, 3 no address, 2 retired", file_name=str(killed.result)
    )
    assert isinstance(answer, Succeeded)
    assert Merged(killed.result).parts == Merged(whole.result).parts
    assert [found.name for found in killed.context.folder.iterdir()] == ["letters.docx"]


def test_the_next_attempt_goes_on_behind_the_last_letter_and_tells_nobody_left_out_twice(
    start: Callable[..., Merge], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    merge = start()
    merge.killed_after(120)
    left_out = sum("left out" in message for message in caplog.messages)
    size = merge.drafts()[0].stat().st_size

    merge.attempt()

    assert f"going on behind letter {120 - left_out}" in caplog.messages
    assert sum("left out" in message for message in caplog.messages) == 12
    assert size > 0


def test_an_entry_that_was_torn_is_written_again(start: Callable[..., Merge]) -> None:
    merge = start()
    merge.killed_after(100)
    draft = merge.drafts()[0]
    draft.write_bytes(draft.read_bytes()[:-3])

    merge.attempt()

    assert numbers(merge) == list(range(1, 239))


def test_what_a_crash_of_the_machine_left_of_unsynced_entries_is_not_believed(start: Callable[..., Merge]) -> None:
    merge = start()
    merge.killed_after(100)
    draft = merge.drafts()[0]
    draft.write_bytes(draft.read_bytes()[:-300] + bytes(300))

    merge.attempt()

    assert numbers(merge) == list(range(1, 239))


@pytest.mark.parametrize("damage", ["removed", "shortened"])
def test_letters_that_are_gone_are_all_written_anew(
    damage: str, start: Callable[..., Merge], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "CHECKPOINT_SECONDS", 0.0)
    merge = start()
    merge.killed_after(100)
    draft = merge.drafts()[0]
    if damage == "removed":
        shutil.rmtree(draft.parent)
    else:
        draft.write_bytes(draft.read_bytes()[:2000])

    merge.attempt()

    assert "The letters written so far are gone from the folder: all are written anew." in caplog.messages
    assert numbers(merge) == list(range(1, 239))


def test_letters_of_two_templates_do_not_go_into_one_document(
    start: Callable[..., Merge], caplog: pytest.LogCaptureFixture
) -> None:
    merge = start()
    merge.killed_after(100)
    write_template(Path(merge.parameters.template).parent, paragraph("{snum}: new {name}"))

    merge.attempt()

    assert "The template was changed meanwhile: all letters are written anew." in caplog.messages
    assert all(": new " in letter for letter in Merged(merge.result).paragraphs)


def test_a_selection_that_changes_between_attempts_gives_nobody_two_letters(start: Callable[..., Merge]) -> None:
    merge = start(body=paragraph("{cuid}/{atid}"))
    merge.killed_after(100)
    engine = create_engine(merge.context.database_url)
    with engine.begin() as connection:
        # The order is by name: those written to by now would be in quite other places.
        connection.execute(text("UPDATE crm7.contact SET name = reverse(name)"))
        gone = connection.execute(
            text(
                "DELETE FROM crm7.selectionmember WHERE selectionmember_id IN "
                "(SELECT max(selectionmember_id) FROM crm7.selectionmember WHERE selection_id = :id) RETURNING 1"
            ),
            {"id": merge.parameters.selection_id},
        ).all()
    engine.dispose()

    merge.attempt()

    letters = Merged(merge.result).paragraphs
    assert len(gone) == 1
    assert len(letters) == len(set(letters))
    assert len(letters) in {237, 238}  # the one who is gone may have been written to, or left out, before


def test_one_that_is_killed_behind_the_last_letter_makes_the_document(start: Callable[..., Merge]) -> None:
    """Everything is in the draft; the last letter is made the last one only in the document."""
    whole, merge = start("whole"), start("killed")
    whole.attempt()

    def die(self: work.Work, document: Path, target: Path) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(work.Work, "publish", die)
        merge.attempt()
    assert not merge.result.exists()

    merge.attempt()

    assert Merged(merge.result).parts == Merged(whole.result).parts


def test_all_letters_tell_the_time_of_the_first_attempt(start: Callable[..., Merge]) -> None:
    merge = start(body=paragraph("{ltim}"))
    merge.killed_after(100)
    assert merge.context.checkpoint is not None
    assert merge.context.checkpoint is not None
    merge.context.checkpoint |= {"began_at": "2026-03-01T12:34:56+01:00"}

    merge.attempt()

    assert Merged(merge.result).paragraphs[-1] == "12:34:56"


def test_a_zombie_that_writes_on_does_no_harm_and_removes_nothing(start: Callable[..., Merge]) -> None:
    merge = start()
    zombie = FenceContext(**fields(merge.context))
    merge.context = zombie
    finished: list[object] = []

    def take_over() -> None:
        """At its hundredth recipient it stands still, and another attempt does everything."""
        following = Merge(
            FakeContext(**fields(zombie)), merge.parameters.selection_id, Path(merge.parameters.template)
        )
        finished.append(following.attempt())
        zombie.lost = True

    zombie.at(100, take_over)
    with pytest.raises(LeaseLost):
        merge.attempt()

    assert isinstance(finished[0], Succeeded)
    assert numbers(merge) == list(range(1, 239))


def test_a_zombie_that_is_behind_leaves_the_files_of_both(start: Callable[..., Merge]) -> None:
    merge = start()
    zombie = FenceContext(**fields(merge.context))
    merge.context = zombie

    def take_over() -> None:
        following = Merge(
            FakeContext(**fields(zombie)), merge.parameters.selection_id, Path(merge.parameters.template)
        )
        following.killed_after(150)
        zombie.checkpoint = following.context.checkpoint
        zombie.lost = True

    zombie.at(100, take_over)
    with pytest.raises(LeaseLost):
        merge.attempt()

    zombie.lost = False
    merge.attempt()
    assert numbers(merge) == list(range(1, 239))


@pytest.mark.parametrize("error", [CancelledByRequest, ZeroDivisionError])
def test_a_merge_that_ends_by_itself_leaves_no_drafts(
    error: type[Exception], start: Callable[..., Merge], monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = start()
    zombie = FenceContext(**fields(merge.context))
    merge.context = zombie

    def end() -> None:
        raise error

    zombie.at(100, end)
    with pytest.raises(error):
        merge.attempt()

    assert list(merge.context.folder.iterdir()) == []
    assert merge.context.checkpoint == {}
    merge.attempt()
    assert numbers(merge) == list(range(1, 239))


def test_a_database_that_goes_away_costs_no_letter(
    start: Callable[..., Merge], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    merge = start()
    waiting = FenceContext(**fields(merge.context))
    merge.context = waiting
    waiting.at(240, lambda: cut_connections(waiting.database_url))

    with pytest.raises(StoreUnavailable):
        merge.attempt()
    merge.attempt()

    assert any("going on behind letter 2" in message for message in caplog.messages)
    assert numbers(merge) == list(range(1, 239))
    assert StoreUnavailable in mail_merge.retry.retry_on


class FenceContext(FakeContext):
    """A context whose lease may be lost, and to which something happens at a safe point."""

    lost = False
    _at: tuple[int, Callable[[], None]] | None = None

    def at(self, looks: int, act: Callable[[], None]) -> None:
        self._at = (looks, act)

    def check_cancelled(self) -> None:
        super().check_cancelled()
        if self._at is not None and self.safe_points == self._at[0]:
            act, self._at = self._at[1], None
            act()

    def save_checkpoint(self, data: Mapping[str, Any]) -> None:
        if self.lost:
            raise LeaseLost("task", 1)
        super().save_checkpoint(data)


def fields(context: FakeContext) -> dict[str, Any]:
    return {
        "database_url": context.database_url,
        "folder": context.folder,
        "archive_dir": context.archive_dir,
        "owner": context.owner,
        "checkpoint": context.checkpoint,
    }


def numbers(merge: Merge) -> list[int]:
    """The numbers that the letters bear."""
    return [int(letter.partition(":")[0]) for letter in Merged(merge.result).paragraphs]


def cut_connections(database_url: str) -> None:
    engine = create_engine(database_url)
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        connection.execute(text(query))
    engine.dispose()
