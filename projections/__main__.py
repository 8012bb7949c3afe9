"""`python -P -m projections`: one projections process."""

from __future__ import annotations

import os
import sys

from projections.run import run


def main() -> None:
    """Run until a signal comes: the first lets the batch in hand finish, the second stops at once."""
    sys.exit(run(os.environ))


if __name__ == "__main__":
    main()
