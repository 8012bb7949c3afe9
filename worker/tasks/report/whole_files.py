"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name when it is finished; an exception or a kill leaves what was there before.

    A kill may leave the draft beside it, which the next try writes over.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
