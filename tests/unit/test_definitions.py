"""Task definitions: made by a decorator, found among installed distributions, strict about what they take."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from batchtask.definitions import CancellationBehaviour, NoParameters, Registry, TaskContext, TaskDefinition, task
from batchtask.errors import InvalidParameters, UnknownTask


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


def test_a_definition_takes_its_schema_and_its_description_from_the_function() -> None:
    assert merge.parameters_type is MergeParameters
    assert (merge.name, merge.description, merge.timeout_seconds) == ("merge", "Merge letters.", 60)
    assert merge.cancellation == CancellationBehaviour.CannotCancel
    assert merge.takes_parameters


def test_a_function_with_a_context_only_takes_no_parameters() -> None:
    assert (noop.parameters_type, noop.description) == (NoParameters, "Nothing at all")
    assert not noop.takes_parameters
    noop.check_parameters({})
    with pytest.raises(InvalidParameters, match="colour"):
        noop.check_parameters({"colour": "red"})


def test_numbers_and_flags_may_be_written_as_text() -> None:
    read = merge.read_parameters({"selection_id": "88", "pdf": "true"})
    assert read == MergeParameters(selection_id=88, pdf=True)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [({}, "selection_id"), ({"selection_id": "all"}, "selection_id"), ({"selection_id": 1, "copies": 2}, "copies")],
)
def test_parameters_that_do_not_fit_are_refused_by_name(parameters: dict[str, object], names: str) -> None:
    with pytest.raises(InvalidParameters, match=names) as caught:
        merge.check_parameters(parameters)
    assert caught.value.name == "merge"


def test_parameters_of_no_known_shape_cannot_be_declared() -> None:
    def careless(context: TaskContext, parameters: dict[str, str]) -> None: ...

    with pytest.raises(TypeError, match=r"'parameters' .* 'careless'"):
        task("careless")(careless)


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
        "acme_tasks:function",
        "acme_broken:acme",
    ]
