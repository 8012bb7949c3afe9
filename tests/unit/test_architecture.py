"""Who may import whom, held by walking the syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("producer", "worker", "projections")
#: They put the roles together, and so may import them all.
COMPOSITION_ROOTS = ("batchtask.cli", "batchtask.demo", "batchtask.web")
CLIENT_LIBRARIES = ("pika", "aio_pika", "aiormq", "sqlalchemy", "psycopg")
PURE = ("messages", "events", "upcasters", "task", "envelope", "outcomes", "identifiers", "errors", "definitions")


@cache
def modules() -> dict[str, ast.Module]:
    """Our modules by name; a package goes by its own name."""
    found = {}
    for package in ("batchtask", *ROLES):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text())
    return found


def imports(tree: ast.AST, *, lazy: bool = True) -> Iterator[str]:
    """Names that a module imports, but for type checkers alone; `lazy=False` leaves out those inside functions."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (name for branch in node.orelse for name in imports(branch, lazy=lazy))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if not lazy:
                continue
            case _:
                yield from imports(node, lazy=lazy)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def importers(of: tuple[str, ...], among: tuple[str, ...]) -> set[str]:
    """Modules in some packages that import any of some others."""
    return {
        module
        for module, tree in modules().items()
        if within(module, among) and any(within(name, of) for name in imports(tree))
    }


def test_the_tree_is_seen() -> None:
    assert {"batchtask.broker.connection", "producer.aio", "worker.attempt", "projections"} <= set(modules())
    assert "batchtask.errors.SettingsError" in set(imports(modules()["batchtask.settings"]))
    assert "fsspec" in set(imports(modules()["batchtask.payloads"]))
    assert "fsspec" not in set(imports(modules()["batchtask.payloads"], lazy=False))


@pytest.mark.parametrize("role", ROLES)
def test_the_roles_never_import_one_another(role: str) -> None:
    others = tuple(other for other in ROLES if other != role)
    assert importers(of=others, among=(role,)) == set()


def test_the_kernel_imports_no_role_except_where_all_are_put_together() -> None:
    kernel = importers(of=ROLES, among=("batchtask",))
    assert {module for module in kernel if not within(module, COMPOSITION_ROOTS)} == set()


def test_the_built_in_tasks_import_nothing_that_a_customers_plug_in_could_not() -> None:
    tasks = [module for module in modules() if within(module, ("worker.tasks",))]
    known = {name for module in tasks for name in imports(modules()[module])}
    assert {name for name in known if within(name, ROLES) and not within(name, ("worker.tasks",))} == set()


def test_no_role_imports_the_composition_roots_but_its_own_entry_point() -> None:
    assert importers(of=COMPOSITION_ROOTS, among=ROLES) == set()


def test_objects_of_the_broker_clients_and_of_the_database_stay_at_the_edge() -> None:
    assert importers(of=CLIENT_LIBRARIES, among=tuple(f"batchtask.{name}" for name in PURE)) == set()


def test_under_producer_only_the_outbox_and_the_web_know_a_database() -> None:
    knowing = importers(of=("sqlalchemy", "psycopg", "batchtask.store"), among=("producer",))
    assert {module for module in knowing if not within(module, ("producer.outbox", "producer.rest"))} == set()
    assert importers(of=("producer.outbox",), among=("producer",)) == set()


def test_only_the_web_application_knows_the_web_framework() -> None:
    knowing = importers(of=("litestar", "uvicorn"), among=("batchtask", *ROLES))
    web = ("batchtask.http", "batchtask.web", "producer.rest", "projections.rest")
    assert {module for module in knowing if not within(module, web)} == set()
    loading = importers(of=("producer.rest", "projections.rest"), among=("batchtask", *ROLES))
    assert {module for module in loading if not within(module, web)} == set()


def test_there_is_one_module_for_each_broker_client_and_package() -> None:
    assert importers(of=("aio_pika", "aiormq"), among=("producer",)) == {"producer.aio", "producer.aio_publisher"}
    outside = importers(of=("pika",), among=("batchtask", *ROLES))
    assert {module for module in outside if not within(module, ("batchtask.broker",))} == set()


def test_no_import_runs_in_a_circle() -> None:
    def module_of(name: str) -> str | None:
        while name and name not in modules():
            name = name.rpartition(".")[0]
        return name or None

    graph = {
        module: {found for name in imports(tree, lazy=False) if (found := module_of(name)) and found != module}
        for module, tree in modules().items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_only_entry_points_read_the_environment() -> None:
    readers = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        if isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert {module for module in readers if not module.endswith("__main__")} <= {
        module for module in modules() if within(module, ("batchtask.cli",))
    }


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("producer", {"pika", "aio_pika", "sqlalchemy", "lxml"}),
        ("producer.blocking", {"sqlalchemy", "psycopg", "alembic", "lxml", "aio_pika", "aiormq", "fsspec"}),
        ("producer.aio", {"sqlalchemy", "psycopg", "alembic", "lxml", "pika", "fsspec"}),
        ("producer.outbox", {"psycopg", "alembic", "lxml", "pika", "aio_pika", "aiormq", "fsspec"}),
        ("projections.service", {"litestar", "uvicorn", "jwt"}),
        ("worker.service", {"litestar", "uvicorn", "jwt"}),
    ],
)
def test_a_web_tier_loads_nothing_that_it_does_not_need(module: str, absent: set[str]) -> None:
    script = f"import {module}, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert absent & {name.partition(".")[0] for name in run.stdout.split()} == set()
