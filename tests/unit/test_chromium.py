"""A Chromium that was unpacked into the cache."""

from __future__ import annotations

from pathlib import Path

from batchtask.local.chromium import _cached
from batchtask.local.debian import distribution


def unpacked(cache: Path, version: str, script: str) -> Path:
    tree = cache / f"chromium-{version}-{distribution()}"
    program = tree / "usr/lib/chromium/chromium"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return tree


def test_one_that_does_not_start_any_more_is_thrown_away_and_an_older_one_taken(tmp_path: Path) -> None:
    broken = unpacked(tmp_path, "151.0", "echo 'error while loading shared libraries' >&2; exit 127")
    good = unpacked(tmp_path, "150.0", "echo Chromium 150.0")

    found = _cached(tmp_path)

    assert found is not None
    assert (found.version, found.program.is_relative_to(good)) == ("150.0", True)
    assert not broken.exists()


def test_where_none_starts_there_is_none(tmp_path: Path) -> None:
    unpacked(tmp_path, "151.0", "exit 1")

    assert _cached(tmp_path) is None
