"""Old bodies are read by a chain of small steps; each stored sample says what a body looks like today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchtask import upcasters
from batchtask.errors import MalformedMessage, UnknownMessage
from batchtask.events import EVENT_TYPES
from batchtask.upcasters import COMMAND_TYPES, Codec

SAMPLES = Path(__file__).parent / "samples"


class Moved(msgspec.Struct, frozen=True):
    """At version 3: v1 had `x`, v2 had `x` and `y`, v3 has them as a pair."""

    place: tuple[int, int]


def add_y(body: dict[str, Any]) -> dict[str, Any]:
    return {"x": body["x"], "y": 0}


def join(body: dict[str, Any]) -> dict[str, Any]:
    return {"place": [body["x"], body["y"]]}


MOVES: Codec[Moved] = Codec({"Moved": Moved}, {"Moved": 3}, {("Moved", 1): add_y, ("Moved", 2): join})


@pytest.mark.parametrize(("version", "data"), [(1, b'{"x": 5}'), (2, b'{"x": 5, "y": 0}'), (3, b'{"place": [5, 0]}')])
def test_every_older_version_is_read_as_the_newest(version: int, data: bytes) -> None:
    assert MOVES.decode("Moved", version, data) == Moved((5, 0))


def test_what_is_written_is_of_the_newest_version() -> None:
    moved = Moved((1, 2))
    assert (MOVES.name(moved), MOVES.version("Moved")) == ("Moved", 3)
    assert MOVES.decode("Moved", 3, MOVES.encode(moved)) == moved


@pytest.mark.parametrize(("name", "version"), [("Moved", 4), ("Moved", 0), ("Moved", -1), ("Gone", 1)])
def test_a_name_or_a_version_that_nobody_knows_is_refused(name: str, version: int) -> None:
    with pytest.raises(UnknownMessage, match=name):
        MOVES.decode(name, version, b"{}")


@pytest.mark.parametrize(
    ("version", "data"),
    [(1, b"{}"), (1, b"[]"), (1, b""), (1, b'{"x": {}}'), (2, b'{"x": 1}'), (3, b'{"place": [1]}'), (3, b"{}")],
)
def test_a_body_that_does_not_fit_its_version_is_malformed(version: int, data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="Moved"):
        MOVES.decode("Moved", version, data)


def test_every_version_between_the_first_and_the_current_one_has_an_upcaster() -> None:
    for name, current in upcasters.CURRENT_VERSIONS.items():
        assert name in EVENT_TYPES | COMMAND_TYPES
        for version in range(1, current):
            assert (name, version) in upcasters.UPCASTERS
            assert (SAMPLES / f"{name}.v{version}.json").exists()


# A sample is never changed. A body that changes gets a new version, an upcaster, and a sample beside the old one.


def sample_names(types: dict[str, Any]) -> list[str]:
    return sorted(path.stem for path in SAMPLES.glob("*.json") if path.stem.partition(".")[0] in types)


def test_every_type_has_a_sample_of_its_current_version() -> None:
    wanted = {f"{name}.v{upcasters.events.version(name)}" for name in EVENT_TYPES}
    wanted |= {f"{name}.v{upcasters.commands.version(name)}" for name in COMMAND_TYPES}
    assert wanted <= {path.stem for path in SAMPLES.glob("*.json")}


@pytest.mark.parametrize("sample", sample_names(EVENT_TYPES))
def test_a_stored_event_is_read_and_written_as_ever(sample: str) -> None:
    check_sample(upcasters.events, sample)


@pytest.mark.parametrize("sample", sample_names(dict(COMMAND_TYPES)))
def test_a_travelling_command_is_read_and_written_as_ever(sample: str) -> None:
    check_sample(upcasters.commands, sample)


def check_sample(codec: Codec[Any], sample: str) -> None:
    name, version = sample.split(".v")
    stored = (SAMPLES / f"{sample}.json").read_bytes()
    body = codec.decode(name, int(version), stored)
    assert codec.name(body) == name
    if int(version) == codec.version(name):
        assert json.loads(codec.encode(body)) == json.loads(stored)
        assert set(json.loads(stored)) == set(body.__struct_fields__), "a sample shows every field"
