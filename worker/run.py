"""Running one worker as a process."""

from __future__ import annotations

from collections.abc import Mapping

from batchtask.definitions import Registry
from batchtask.processes import run_service
from worker.service import Worker


def run(environ: Mapping[str, str], **overrides: object) -> int:
    """Run a worker until a signal comes, and return the exit code; see `run_service`."""
    return run_service("worker", lambda settings: Worker(settings, Registry.installed()), environ, **overrides)
