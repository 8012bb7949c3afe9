"""`python -P -m worker`: one worker process. Imports nothing heavy, because children read this file too."""

from __future__ import annotations


def main() -> None:
    """Run a worker until a signal comes: the first drains, the second stops at once."""
    import os  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from worker.run import run  # noqa: PLC0415

    sys.exit(run(os.environ))


if __name__ == "__main__":
    main()
