"""PDF by LibreOffice, if the worker's machine has it. It runs with a profile of its own, so that two never meet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.mail_merge.converter_fonts import lend_fonts

_PROGRAMS = ("soffice", "libreoffice")
_POLL_SECONDS = 0.5


def require_converter() -> str:
    """Return LibreOffice's path.

    Raises:
        TaskFailure: It is not installed.
    """
    found = next((path for program in _PROGRAMS if (path := shutil.which(program))), None)
    if found is None:
        raise TaskFailure(
            "PDF needs LibreOffice on the worker's machine, and it is not installed there: "
            'install it, or merge with output set to "docx".'
        )
    return found


def convert(program: str, documents: Sequence[Path], folder: Path, context: TaskContext) -> list[Path]:
    """Make a PDF of each document in `folder`, and return them in order; a request to cancel kills LibreOffice.

    Raises:
        TaskFailure: It did not make all of them.
        CancelledByRequest: Somebody asked for the task to stop.
    """
    command = [
        "env",
        f"FONTCONFIG_FILE={lend_fonts(documents, folder)}",
        program,
        f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        "--headless",
        "--norestore",
        "--convert-to",
        "pdf:writer_pdf_Export",
        "--outdir",
        str(folder),
        *map(str, documents),
    ]
    # A group of its own: soffice is a script that starts the real program.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            said = _wait(process, context)
        finally:
            _kill(process)
    results = [folder / f"{document.stem}.pdf" for document in documents]
    if process.returncode != 0 or not all(result.exists() for result in results):
        context.log.error("LibreOffice made no PDF", extra={"returncode": process.returncode, "said": said})
        raise TaskFailure('LibreOffice could not make the PDF: merge with output set to "docx" and print from Word.')
    return results


def _wait(process: subprocess.Popen[bytes], context: TaskContext) -> str:
    while True:
        try:
            return process.communicate(timeout=_POLL_SECONDS)[0].decode(errors="replace")[-2000:]
        except subprocess.TimeoutExpired:
            context.check_cancelled()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
