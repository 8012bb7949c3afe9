"""`python -P -m batchtask.web`: one web process."""

from __future__ import annotations

import os
import sys

from batchtask.web.run import run

if __name__ == "__main__":
    sys.exit(run(os.environ))
