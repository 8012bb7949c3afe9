"""The command line `batchtask`. Imports nothing before `main`: child processes of a worker import this file again."""

from __future__ import annotations


def main() -> None:
    """Run one command; errors made for humans become one line and an exit code, see `exits`."""
    try:
        from batchtask.cli.app import run
    except ModuleNotFoundError as error:
        raise SystemExit(f"batchtask: {error.name} is missing; run: pip install 'batchtask[all]'") from error
    run()
