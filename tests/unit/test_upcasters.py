"""Old bodies are read by a chain of small steps; each stored sample says what a body looks like today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from batchtask import upcasters
from batchtask.errors import MalformedMessage, UnknownMessage
from batchtask.events import EVENT_TYPES
from batchtask.messages import CancelTask, SubmitTask
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
            assert list(SAMPLES.glob(f"{name}.v{version}.*json"))


# A sample is never changed. A body that changes its shape gets a new version, an upcaster, and a sample beside the
# old one; a body that gains an optional field gets a further sample, `<name>.v<version>.<what was gained>`.


def sample_names(types: dict[str, Any]) -> list[str]:
    return sorted(path.stem for path in SAMPLES.glob("*.json") if path.stem.partition(".")[0] in types)


def test_samples_of_the_current_version_show_every_field() -> None:
    for codec, types in ((upcasters.events, dict(EVENT_TYPES)), (upcasters.commands, dict(COMMAND_TYPES))):
        for name, cls in types.items():
            samples = sorted(SAMPLES.glob(f"{name}.v{codec.version(name)}.*json"))
            assert samples, name
            assert set().union(*(json.loads(path.read_bytes()) for path in samples)) == set(cls.__struct_fields__)


@pytest.mark.parametrize("sample", sample_names(EVENT_TYPES))
def test_a_stored_event_is_read_and_written_as_ever(sample: str) -> None:
    check_sample(upcasters.events, sample)


@pytest.mark.parametrize("sample", sample_names(dict(COMMAND_TYPES)))
def test_a_travelling_command_is_read_and_written_as_ever(sample: str) -> None:
    check_sample(upcasters.commands, sample)


def check_sample(codec: Codec[Any], sample: str) -> None:
    name, version = sample.split(".")[:2]
    number = int(version.removeprefix("v"))
    stored = (SAMPLES / f"{sample}.json").read_bytes()
    body = codec.decode(name, number, stored)
    assert codec.name(body) == name
    if number == codec.version(name):
        assert json.loads(codec.encode(body)) == json.loads(stored), "fields at their default are left out"


@pytest.mark.parametrize(
    ("sample", "gained"),
    [
        ("AttemptLost.v1", {"worker_survived": False}),
        ("AttemptStarted.v1", {"held": True, "lease_seconds": 180.0, "lost_attempts": 3}),
        ("CancelRequested.v1", {"force": False, "requested_at": None}),
        ("TaskCancelled.v1", {"forced": False}),
        ("TaskSubmitted.v1", {"start_at": None, "cancellation": 0, "schedule": ""}),
    ],
)
def test_what_an_older_release_did_not_write_means_what_it_did_then(sample: str, gained: dict[str, Any]) -> None:
    body = upcasters.events.decode(sample.partition(".")[0], 1, (SAMPLES / f"{sample}.json").read_bytes())
    assert {name: getattr(body, name) for name in gained} == gained


@pytest.mark.parametrize("sample", sample_names(EVENT_TYPES))
def test_a_worker_of_today_reads_an_event_to_which_a_later_release_has_added_a_field(sample: str) -> None:
    name, version = sample.split(".")[:2]
    stored = (SAMPLES / f"{sample}.json").read_bytes()
    later = json.dumps(json.loads(stored) | {"added_later": {"at": [1, None]}}).encode()

    read = upcasters.events.decode(name, int(version.removeprefix("v")), later)

    assert read == upcasters.events.decode(name, int(version.removeprefix("v")), stored)


def test_a_command_of_an_older_release_asks_for_what_it_asked_then() -> None:
    task_id = UUID("01900000-0000-7000-8000-000000000001")
    submit = upcasters.commands.decode("SubmitTask", 1, (SAMPLES / "SubmitTask.v1.json").read_bytes())
    cancel = upcasters.commands.decode("CancelTask", 1, (SAMPLES / "CancelTask.v1.json").read_bytes())
    assert isinstance(submit, SubmitTask)
    assert isinstance(cancel, CancelTask)
    assert (submit.task_id, submit.start_at, submit.cancellation, submit.schedule) == (task_id, None, 0, "")
    assert (cancel.task_id, cancel.force) == (task_id, False)
