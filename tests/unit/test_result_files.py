"""Result files: what is opened for a download, and what never is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.identifiers import TaskId, new_task_id
from projections.rest.files import content_type, disposition
from projections.result_files import open_result, result_name

TASK = new_task_id()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "files" / str(TASK)
    folder.mkdir(parents=True)
    (folder / "letters.pdf").write_bytes(b"%PDF")
    return folder


def read(folder: Path, recorded: str, task_id: TaskId = TASK) -> bytes | None:
    file = open_result(folder.parent, task_id, recorded)
    if file is None:
        return None
    with file:
        return file.read()


@pytest.mark.parametrize(
    "recorded", ["letters.pdf", "/srv/elsewhere/letters.pdf", "../../letters.pdf", "var/files/x/letters.pdf"]
)
def test_the_file_is_the_one_of_that_name_in_the_tasks_own_folder(folder: Path, recorded: str) -> None:
    assert read(folder, recorded) == b"%PDF"


@pytest.mark.parametrize(
    "recorded",
    [
        "", ".", "..", "/", "../secret.txt", "../../secret.txt", "/etc/passwd", "letters.pdf\0", "https://x.example/a.pdf",
        "x" * 5000,
    ],
)  # fmt: skip
def test_nothing_else_is_opened_whatever_the_task_says(folder: Path, recorded: str) -> None:
    assert read(folder, recorded) is None


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "link.pdf").symlink_to(tmp_path / "secret.txt")
    assert read(folder, "link.pdf") is None
    other = new_task_id()
    (folder.parent / str(other)).symlink_to(folder)
    assert read(folder, "letters.pdf", other) is None


def test_only_plain_files_are_opened(folder: Path) -> None:
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    assert read(folder, "sub") is None
    assert read(folder, "pipe") is None


@given(st.text())
def test_a_result_name_never_leads_out_of_a_folder(recorded: str) -> None:
    name = result_name(recorded)
    assert name not in {".", ".."}
    assert "/" not in name
    assert "\0" not in name


@given(st.text(min_size=1))
def test_a_download_is_named_by_plain_characters_only(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize("name", ["Brev æøå.pdf", "报告.pdf", 'a"b;c.pdf', "100 %.csv", "plain.pdf"])
def test_a_download_keeps_its_real_name(name: str) -> None:
    assert unquote(disposition(name).partition("filename*=UTF-8''")[2]) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.pdf", "application/pdf"), ("a.csv", "text/csv"), ("a.zip", "application/zip"),
        ("README", "application/octet-stream"),
        ("a.DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.unheard", "application/octet-stream"),
    ],
)  # fmt: skip
def test_the_type_of_a_download_follows_from_its_name(name: str, expected: str) -> None:
    assert content_type(name) == expected
