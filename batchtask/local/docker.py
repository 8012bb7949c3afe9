"""Services in Docker containers, for a machine that has an engine but no RabbitMQ.

A container runs in the foreground under the watchdog of `processes.py`: when the caller ends, however it
ends, the client passes the stop signal on and the engine removes the container.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from batchtask.local.errors import SourceFailed
from batchtask.local.files import private_directory
from batchtask.local.processes import ServerProcess

ANSWER_SECONDS = 10.0
PULL_SECONDS = 600.0


def engine_answers(environ: Mapping[str, str]) -> bool:
    """Tell whether there is a Docker client whose engine answers."""
    if not shutil.which("docker", path=environ.get("PATH")):
        return False
    try:
        return _docker(["info"], environ, ANSWER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Container:
    """One container of an image. Its data ends with it."""

    def __init__(
        self,
        image: str,
        directory: Path,
        *,
        ports: Mapping[int, int],
        variables: Mapping[str, str],
        environ: Mapping[str, str],
        arguments: Sequence[str] = (),
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        self._image = image
        self._environ = {**environ, **variables}
        published = [f"--publish=127.0.0.1:{ours}:{theirs}" for ours, theirs in ports.items()]
        # Only names of variables: values would be seen by everybody who lists processes.
        named = [f"--env={name}" for name in variables]
        name = f"--name=batchtask-{secrets.token_hex(6)}"
        self._process = ServerProcess(
            ["docker", "run", "--rm", name, *published, *named, image, *arguments],
            environ=self._environ,
            log=private_directory(directory) / "container.log",
            stop_signal=stop_signal,
        )

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Pull the image if need be, run it and return when the service answers."""
        if _docker(["image", "inspect", self._image], self._environ, ANSWER_SECONDS).returncode != 0:
            self._pull()
        self._process.start(is_ready)

    def stop(self) -> None:
        self._process.stop()

    def _pull(self) -> None:
        result = _docker(["pull", "--quiet", self._image], self._environ, PULL_SECONDS)
        if result.returncode != 0:
            raise SourceFailed(f"the image {self._image}", result.stderr.strip())


def _docker(arguments: Sequence[str], environ: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], env=environ, capture_output=True, text=True, timeout=seconds, check=False
    )
