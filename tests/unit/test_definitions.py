"""Task definitions: made by a decorator, found among installed distributions, strict about what they take."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from batchtask.definitions import (
    Acknowledge,
    CancellationBehaviour,
    NoParameters,
    OnSoftLimit,
    Registry,
    TaskContext,
    TaskDefinition,
    task,
)
from batchtask.errors import InvalidParameters, UnknownTask
from batchtask.retrying import DEFAULT_RETRY, UNLIMITED, RetryPolicy


class MergeParameters(msgspec.Struct, forbid_unknown_fields=True):
    selection_id: int
    pdf: bool = False


@task("merge", timeout=60, cancellation=CancellationBehaviour.CannotCancel)
def merge(context: TaskContext, parameters: MergeParameters) -> str:
    """Merge letters.

    More about it.
    """
    return f"{parameters.selection_id}"


@task("noop", description="Nothing at all")
def noop(context: TaskContext) -> None:
    """Do nothing."""


def nothing(context: TaskContext) -> None: ...


def test_a_definition_takes_its_schema_and_its_description_from_the_function() -> None:
    assert merge.parameters_type is MergeParameters
    assert (merge.name, merge.description, merge.timeout_seconds) == ("merge", "Merge letters.", 60)
    assert merge.cancellation == CancellationBehaviour.CannotCancel
    assert merge.takes_parameters


def test_a_function_with_a_context_only_takes_no_parameters() -> None:
    assert (noop.parameters_type, noop.description) == (NoParameters, "Nothing at all")
    assert not noop.takes_parameters
    noop.check_parameters({})
    with pytest.raises(InvalidParameters, match="unknown field `colour`; it takes none"):
        noop.check_parameters({"colour": "red"})


def test_numbers_and_flags_may_be_written_as_text() -> None:
    read = merge.read_parameters({"selection_id": "88", "pdf": "true"})
    assert read == MergeParameters(selection_id=88, pdf=True)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, "selection_id"),
        ({"selection_id": "all"}, "selection_id"),
        ({"selection_id": 1, "copies": 2}, "`copies`; there are `selection_id`, "),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(parameters: dict[str, object], names: str) -> None:
    with pytest.raises(InvalidParameters, match=names) as caught:
        merge.check_parameters(parameters)
    assert caught.value.name == "merge"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Painting(msgspec.Struct):
    colour: Colour = Colour.RED
    size: Literal["small", "large"] = "small"
    others: list[Literal["x"]] = []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"colour": "green"}, "Invalid enum value 'green' - at `colour`, which can be blue, red"),
        ({"size": "no `size`"}, "Invalid enum value 'no `size`' - at `size`, which can be large, small"),
        ({"others": ["y"]}, "Invalid enum value 'y' - at `others[0]`"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(
    parameters: dict[str, object], problem: str
) -> None:
    @task("paint")
    def paint(context: TaskContext, parameters: Painting) -> None: ...

    with pytest.raises(InvalidParameters) as caught:
        paint.check_parameters(parameters)
    assert caught.value.problem == problem


def test_parameters_of_no_known_shape_cannot_be_declared() -> None:
    def careless(context: TaskContext, parameters: dict[str, str]) -> None: ...

    with pytest.raises(TypeError, match=r"'parameters' .* 'careless'"):
        task("careless")(careless)


def test_how_a_task_is_run_and_tried_again_stands_in_its_definition() -> None:
    policy = RetryPolicy(attempts=3, never_on=(KeyError,))
    definition = task(
        "report",
        timeout=600,
        soft_timeout=540,
        on_soft_limit=OnSoftLimit.RAISE,
        memory_limit_mb=512,
        retry=policy,
        acknowledge=Acknowledge.LEASE,
        is_multi_pass=True,
    )(nothing)
    assert (definition.timeout_seconds, definition.soft_timeout_seconds) == (600, 540)
    assert (definition.on_soft_limit, definition.memory_limit_mb) == (OnSoftLimit.RAISE, 512)
    assert (definition.retry, definition.acknowledge, definition.is_multi_pass) == (policy, Acknowledge.LEASE, True)


def test_without_a_word_about_it_a_task_is_not_tried_again_and_has_no_limit() -> None:
    assert (noop.retry, noop.acknowledge, noop.memory_limit_mb) == (DEFAULT_RETRY, Acknowledge.AUTO, 0)
    assert (noop.timeout_seconds, noop.soft_timeout_seconds, noop.exclusive) == (0, 0, False)


@pytest.mark.parametrize(("count", "attempts"), [(0, 1), (3, 4), (-1, UNLIMITED)])
def test_the_original_restart_count_is_a_number_of_further_tries(count: int, attempts: int) -> None:
    assert task("report", auto_restart_count=count)(nothing).retry == RetryPolicy(attempts=attempts)
    explicit = RetryPolicy(attempts=7)
    assert task("report", auto_restart_count=count, retry=explicit)(nothing).retry == explicit


def test_runs_that_keep_a_distance_never_overlap() -> None:
    assert task("report", start_interval=60)(nothing).exclusive
    assert task("report", minimum_sleep_time=60)(nothing).exclusive


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", -1),
        ("timeout", 2**31),
        ("soft_timeout", -1),
        ("memory_limit_mb", -1),
        ("start_interval", -1),
        ("minimum_sleep_time", 2**31),
        ("auto_restart_count", -2),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: int) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} of task 'report'"):
        task("report", **arguments)


@pytest.mark.parametrize("soft_timeout", [60, 61])
def test_a_soft_limit_that_never_passes_before_the_hard_one_is_refused(soft_timeout: int) -> None:
    with pytest.raises(ValueError, match="less than its timeout of 60 s"):
        task("report", timeout=60, soft_timeout=soft_timeout)


def test_a_registry_knows_its_tasks_by_name() -> None:
    registry = Registry([merge, noop])
    assert registry["merge"] is merge
    assert "noop" in registry
    assert "other" not in registry
    assert list(registry) == [merge, noop]
    with pytest.raises(UnknownTask, match="merge, noop"):
        registry["other"]


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with a distribution that offers a task, no task, and a module that cannot be imported."""
    info = tmp_path / "acme_tasks-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tasks\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(
        "[batchtask.tasks]\nacme = acme_tasks:acme\nfunction = acme_tasks:function\nbroken = acme_broken:acme\n"
    )
    (tmp_path / "acme_tasks.py").write_text(
        "from batchtask.definitions import task\n"
        "@task('acme')\n"
        "def acme(context): 'Do it.'\n"
        "def function(context): 'No task.'\n"
    )
    (tmp_path / "acme_broken.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path


def test_installed_tasks_are_found_and_one_that_cannot_be_loaded_leaves_the_others(
    plugin_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        registry = Registry.installed()

    assert isinstance(registry["acme"], TaskDefinition)
    assert registry["acme"].version == "2.5"
    assert "function" not in registry
    assert "broken" not in registry
    assert [record.entry_point for record in caplog.records] == [  # type: ignore[attr-defined]
        "acme_broken:acme",
        "acme_tasks:function",
    ]


def test_of_two_packages_that_name_a_task_alike_ours_or_the_first_is_taken_and_the_other_is_told(
    plugin_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info = plugin_folder / "acme_again-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-again\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[batchtask.tasks]\nacme = acme_tasks:acme\nsleep = acme_again:nap\n")
    (plugin_folder / "acme_again.py").write_text(
        "from batchtask.definitions import task\n@task('sleep')\ndef nap(context): 'Not ours.'\n"
    )
    with caplog.at_level(logging.ERROR):
        registry = Registry.installed()

    assert registry["acme"].version == "1.0"
    assert registry["sleep"].function.__module__ == "worker.tasks.sleep"
    assert [
        record.entry_point  # type: ignore[attr-defined]
        for record in caplog.records
        if record.getMessage() == "task is left out: another package has one of this name"
    ] == ["acme_again:nap", "acme_tasks:acme"]
