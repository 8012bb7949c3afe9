"""The result file: written beside its name and put there whole; what an attempt that died has left is removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchtask.definitions import TaskContext
from worker.tasks.disk import disk_errors


@contextmanager
def written_whole(context: TaskContext, name: str) -> Iterator[tuple[Path, Path]]:
    """Give a path to write to and the one it is renamed to at the end; an error leaves neither.

    Raises:
        TaskFailure: The disk is full, or the folder cannot be written.
    """
    target = context.result_path(name)
    # By attempt: an older one that was frozen must not go on writing into the file of this one.
    beside = target.with_name(f".{name}.{context.attempt}.part")
    try:
        with disk_errors(target, again="print the report again"):
            _remove_leftovers(target)
            yield beside, target
            beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _remove_leftovers(target: Path) -> None:
    """Remove the parts of earlier attempts, and what a renderer has written beside them."""
    for found in target.parent.iterdir():
        if found.name.startswith(".") and found.name.lstrip(".").startswith(f"{target.name}."):
            found.unlink(missing_ok=True)
