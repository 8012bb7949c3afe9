"""Running one projections process."""

from __future__ import annotations

from collections.abc import Mapping

from batchtask.processes import run_service
from projections.service import Projections


def run(environ: Mapping[str, str], **overrides: object) -> int:
    """Run until a signal comes, and return the exit code; see `run_service`."""
    return run_service("projections", Projections, environ, **overrides)
