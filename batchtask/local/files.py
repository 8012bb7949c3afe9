"""Small files of private servers: secrets that survive a restart, directories only the caller may enter."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def private_directory(path: Path, mode: int = 0o700) -> Path:
    """Make a directory, and close it to other users even if it was there before."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def secret(path: Path, make: Callable[[], str] = lambda: secrets.token_hex(16)) -> str:
    """Return the secret kept in a file, made up on first use."""
    if not path.exists():
        write_private(path, make())
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
