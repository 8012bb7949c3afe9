"""Result files of tasks, opened for download: from the task's own folder and from nowhere else, whatever it says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path, PurePosixPath

from batchtask.identifiers import TaskId


def result_name(recorded: str) -> str:
    """Return the last part of a file name as a worker recorded it: a name, a path of its machine, or a URL.

    Returns:
        "" when there is none that a folder can hold.
    """
    last = PurePosixPath(recorded).name
    return "" if last in {".", ".."} or "\0" in last else last


def open_result(files_dir: Path, task_id: TaskId, recorded: str) -> FileIO | None:
    """Open a task's result file for reading; the caller closes it.

    Links are not followed, neither the file nor the task's folder: a task could point them at anything.

    Args:
        files_dir: Folder of all result files.
        task_id: Whose folder in it.
        recorded: As the task's end has it; folders in it count for nothing, workers may have them elsewhere.

    Returns:
        None when there is no such plain file (any more).

    Raises:
        PermissionError: This process may not read it.
    """
    name = result_name(recorded)
    if not name:
        return None
    try:
        with _folder(files_dir / str(task_id)) as folder:
            # A pipe would hold up whoever opens it until somebody writes.
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:
        raise
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        return None
    return FileIO(number, "rb")


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield number
    finally:
        os.close(number)
