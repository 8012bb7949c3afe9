"""The example plug-in as somebody else's package: built, installed, and held to its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "batchtask-overdue-sales"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as pip installs it; nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    target = folder / "site"
    run(*pip, "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(source))
    return target


def test_its_own_tests_pass_on_the_installed_package(
    installed: Path, amqp_url: str, database_url: str, tmp_path: Path
) -> None:
    tests = tmp_path / "tests"
    shutil.copytree(EXAMPLE / "tests", tests, ignore=shutil.ignore_patterns("__pycache__"))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    environ |= {"BATCHTASK_AMQP_URL": amqp_url, "BATCHTASK_DATABASE_URL": database_url}
    options = ("-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider")

    told = run(sys.executable, "-m", "pytest", *options, "-q", str(tests), environ=environ, cwd=tmp_path)

    assert " passed" in told


def test_the_web_tier_loads_the_definition_and_nothing_heavy(installed: Path) -> None:
    script = "import batchtask_overdue_sales, sys; print(*sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}

    loaded = set(run(sys.executable, "-c", script, environ=environ).split())

    assert not loaded & {"sqlalchemy", "psycopg", "smtplib", "batchtask_overdue_sales.work"}


def run(*command: str, environ: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
