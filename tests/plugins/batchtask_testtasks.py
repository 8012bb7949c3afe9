"""Tasks for tests and benchmarks, found like any customer's plug-in: by being on the path with its metadata."""

from __future__ import annotations

from batchtask.definitions import TaskContext, task


@task("noop")
def noop(context: TaskContext) -> None:
    """Do nothing."""
