"""The distribution as a user gets it: the built wheel alone, with the sources out of reach."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SUBMIT = """
import importlib.util, sys
from batchtask.settings import Settings
from producer.blocking import Producer

for absent in ("sqlalchemy", "psycopg", "alembic", "lxml", "typer", "aio_pika"):
    assert importlib.util.find_spec(absent) is None, absent
with Producer(Settings(amqp_url=sys.argv[1])) as producer:
    print(producer.submit("sleep", {"seconds": 0}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_exactly_four_packages(wheel: Path) -> None:
    names = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "batchtask",
        "producer",
        "worker",
        "projections",
    }


def test_producer_alone_submits_without_any_database_library(wheel: Path, tmp_path: Path, amqp_url: str) -> None:
    environment = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
    _run(*pip, "install", "--quiet", "--constraint", str(_pins(tmp_path)), f"{wheel}[producer]")

    printed = _run(str(python), "-I", "-c", SUBMIT, amqp_url, cwd=tmp_path)

    assert len(printed.strip()) == len("01a208eb-d2c7-7eb9-b1f0-dc8b107210b6")


def _pins(folder: Path) -> Path:
    """The lock's versions without their hashes, which pip would then want for the wheel too."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split(" \\")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))]
    path = folder / "pins.txt"
    path.write_text("\n".join(pins))
    return path


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
