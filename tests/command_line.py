"""The command `batchtask` as somebody types it, on the servers of a system."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.system import ROOT, System


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    text: str
    complaint: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


def batchtask(system: System, *words: object, typed: str = "", **settings: object) -> Answer:
    """Run a command to its end; settings by their names in `Settings`."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "plugins")])
    urls = {"amqp_url": system.amqp_url, "database_url": system.engine.url.render_as_string(hide_password=False)}
    environ |= {f"BATCHTASK_{name.upper()}": str(value) for name, value in (urls | settings).items()}
    run = subprocess.run(
        [Path(sys.executable).with_name("batchtask"), *map(str, words)],
        env=environ,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(run.returncode, run.stdout, run.stderr)
