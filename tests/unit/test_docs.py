"""The documentation says what the code says: examples compile, tables list what exists, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from batchtask import envelope, errors, settings, topology
from batchtask.cli.app import app
from batchtask.cli.exits import Exit
from batchtask.definitions import TaskContext, TaskDefinition, task
from batchtask.events import EVENT_TYPES
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cause
from batchtask.retrying import RetryPolicy
from batchtask.tables import batchtask
from batchtask.task_state import Phase
from batchtask.upcasters import COMMAND_TYPES
from projections.rows import State

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

#: Praise and hurry tell the reader nothing.
PRAISE = re.compile(
    r"\b(blazing\w*|cutting.edge|effortless\w*|enterprise.grade|game.chang\w+|lightning.fast|powerful|production.ready"
    r"|seamless\w*|state.of.the.art|world.class|TODO|FIXME)\b",
    re.IGNORECASE,
)
#: Somebody's own folder has no place in a page that others read; `~` and `/opt` do.
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.…])/(root|home|Users|work|tmp)/")


@pytest.fixture(params=PAGES, ids=NAMES)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_python_examples_compile_and_import_what_exists(page: Path) -> None:
    for code in blocks(page, "python"):
        tree = ast.parse(code)
        compile(tree, page.name, "exec")
        for module, name in imported_names(tree):
            assert hasattr(importlib.import_module(module), name), f"{page.name}: {module} has no {name}"


def test_task_examples_define_tasks(page: Path) -> None:
    for code in blocks(page, "python"):
        if "@task(" not in code:
            continue
        namespace: dict[str, object] = {"__name__": f"example_in_{page.stem.replace('-', '_')}"}
        exec(compile(code, page.name, "exec"), namespace)
        assert any(isinstance(value, TaskDefinition) for value in namespace.values())


def test_tests_in_examples_pass(page: Path, tmp_path: Path) -> None:
    for code in blocks(page, "python"):
        if "\ndef test_" not in code:
            continue
        namespace: dict[str, Any] = {"__name__": "example_of_tests"}
        exec(compile(code, page.name, "exec"), namespace)
        for name in [name for name in namespace if name.startswith("test_")]:
            namespace[name](tmp_path)


def test_toml_and_json_examples_can_be_read(page: Path) -> None:
    for text in blocks(page, "toml"):
        tomllib.loads(text)
    for text in blocks(page, "json"):
        msgspec.json.decode(text)


def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}"


def test_no_praise_and_nobodys_folder(page: Path) -> None:
    text = page.read_text()
    assert not PRAISE.findall(text)
    assert not SOMEBODYS_FOLDER.findall(text)


def test_files_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`((?:batchtask|producer|worker|projections|alembic)/[\w/.]*)`", text)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def test_all_modules_stand_on_the_map() -> None:
    mapped: set[Path] = set()
    for row in re.findall(r"^\| (`.*?) \|", section("Map of the modules", "architecture.md"), re.MULTILINE):
        folder = ROOT
        for name in re.findall(r"`([\w/.]+)`", row):
            folder = (ROOT / name).parent if "/" in name else folder
            place = ROOT / name if "/" in name else folder / name
            mapped |= set(place.rglob("*.py")) if place.is_dir() else {place}
    packages = ("batchtask", "producer", "worker", "projections")
    modules = {path for package in packages for path in (ROOT / package).rglob("*.py")}
    unmapped = {path for path in modules - mapped if path.name not in {"__init__.py", "__main__.py", "run.py"}}
    assert {path.relative_to(ROOT).as_posix() for path in unmapped} == set()


def test_all_settings_stand_in_the_reference_with_their_defaults() -> None:
    described = {row[0]: row[1] for row in table("Settings")}
    assert described == {
        f"`{settings.PREFIX}{field.name.upper()}`": f"`{field.default}`" if str(field.default) else "none"
        for field in fields(settings.Settings)
    }


def test_all_commands_stand_in_the_reference_in_their_order() -> None:
    declared = typer.main.get_command(app)
    described = [row[0].removeprefix("`batchtask ").removesuffix("`") for row in table("Command line")]
    assert described == list(getattr(declared, "commands"))  # noqa: B009 - only groups have them
    readme = (ROOT / "README.md").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert set(re.findall(r"`batchtask (\w[\w-]*)", readme)) <= set(described)
    assert all(f"`{name}`" in changes for name in described)


def test_options_named_in_the_reference_exist() -> None:
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009
    for name, text, _ in table("Command line"):
        command = commands[name.removeprefix("`batchtask ").removesuffix("`")]
        commands_below = [command, *getattr(command, "commands", {}).values()]
        options = {option for one in commands_below for parameter in one.params for option in parameter.opts}
        for option in re.findall(r"(?<!\w)--[\w-]+", text):
            assert option in options, f"{name} has no {option}"


def test_exit_codes_stand_in_the_reference() -> None:
    described = {int(code): name.strip("`") for code, name, _ in table("Exit codes")}
    assert described.pop(130) == ""
    assert described == {code.value: code.name for code in Exit}


def test_columns_and_states_of_the_row_stand_in_the_reference() -> None:
    columns, states = tables("The table crm7.batchtask")
    described = [name for row in columns for name in re.findall(r"`(\w+)`", row[0])]
    placed = [column.name for column in batchtask.columns]
    assert sorted(described) == sorted(placed)
    assert {int(row[0]): row[1].strip("`") for row in states} == {state.value: state.name for state in State}


def test_events_and_causes_stand_in_the_reference_with_their_fields() -> None:
    events, causes = tables("Events")
    described = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in events}
    assert described.pop("TaskSubmitted") == ["SubmitTask"]
    submitted = set(EVENT_TYPES["TaskSubmitted"].__struct_fields__)
    assert submitted == set(SubmitTask.__struct_fields__) - {"task_id", "submitted_at"}
    assert described == {
        name: list(event.__struct_fields__) for name, event in EVENT_TYPES.items() if name != "TaskSubmitted"
    }
    assert {row[0].strip("`") for row in causes} == {cause.value for cause in Cause}


def test_arguments_of_task_and_members_of_its_context_stand_in_the_reference() -> None:
    described = [row[0].strip("`") for row in table("Task definitions")]
    arguments = list(task.__annotations__)
    arguments.remove("return")
    assert sorted(described[:-1]) == sorted(arguments)
    policy = {row[0].strip("`"): row[1] for row in tables("Task definitions")[1]}
    assert list(policy) == [field.name for field in fields(RetryPolicy)]
    assert all(float(policy[field.name]) == field.default for field in fields(RetryPolicy)[:-2])
    text = section("Task definitions")
    for member in vars(TaskContext):
        assert member.startswith("_") or f"`{member}`" in text or f"`{member}(" in text, member


def test_message_examples_are_those_of_this_release() -> None:
    command, events = blocks(ROOT / "docs" / "reference.md", "json")
    read = envelope.decode_command(command.encode())
    assert type(read.command) in COMMAND_TYPES.values()
    assert read.message_id == msgspec.json.decode(command)["id"]
    assert len(envelope.decode_events(events.encode())) == 1


def test_errors_stand_in_the_reference_as_in_their_module() -> None:
    tree = (errors.__doc__ or "").partition("::\n")[2].partition("Each error")[0]
    described = " ".join(section("Errors").split())
    for line in tree.strip().splitlines():
        assert " ".join(line.split()) in described
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.BatchTaskError):
            assert name in described


def test_the_diagrams_name_what_exists_and_all_of_it() -> None:
    states = section("States of a task", "architecture.md")
    prefixes = "Task|Attempt|Cancel|Progress|Heartbeat|Retry|Pass|Checkpoint"
    named = set(re.findall(rf"\b(?:{prefixes})[A-Z]\w+", states))
    assert named - {"RetryPolicy"} == set(EVENT_TYPES)
    assert {phase.name for phase in Phase} <= set(re.findall(r"\b[A-Z]{5,}\b", states))
    declared = section("What is declared on the broker", "architecture.md")
    parts = {exchange.name for exchange in topology.TOPOLOGY.exchanges}
    parts |= {queue.name for queue in topology.TOPOLOGY.queues}
    assert set(re.findall(r"batchtask\.[a-z]+(?!\w)", declared.replace("topology.py", ""))) == parts
    for queue in topology.TOPOLOGY.queues:
        limit = f"{queue.arguments['x-delivery-limit']:,}".replace(",", " ")
        assert re.search(rf"▶ {re.escape(queue.name)} +quorum, delivery limit {limit}\b", declared)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if not target.startswith(("http:", "https:", "mailto:"))]


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(title: str, page: str = "reference.md") -> str:
    """The text below a heading, up to the next one of its rank."""
    text = (ROOT / "docs" / page).read_text()
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[2]


def tables(title: str) -> list[list[list[str]]]:
    """The tables below a heading: rows of cells, without the head."""
    found = re.findall(r"(?:^\|.*\n)+", section(title), re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()[2:]] for rows in found]


def table(title: str) -> list[list[str]]:
    return tables(title)[0]


def imported_names(tree: ast.AST) -> list[tuple[str, str]]:
    ours = ("batchtask", "producer", "worker", "projections")
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ours
        for alias in node.names
    ]
