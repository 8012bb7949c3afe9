"""`make demo`: the whole system from nothing, a sample CRM, real tasks, and a table of what came of them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from batchtask.cli.system import System, running_system
from batchtask.cli.watching import watch_tasks
from batchtask.database import make_engine
from batchtask.demo.report import print_report
from batchtask.demo.sample_crm import SampleCrm, load_sample_crm, write_sample_template
from batchtask.errors import BatchTaskError
from batchtask.identifiers import TaskId
from producer import TaskRequest
from producer.blocking import Producer
from projections.queries import Queries
from projections.rows import State

FOLDER = Path("var/demo")
TEMPLATE = "spring-letter.docx"
ALL_SUCCEEDED, SOME_FAILED, CANNOT_RUN, STOPPED = 0, 1, 2, 130
DEADLINE_SECONDS = 300


def main(environ: Mapping[str, str]) -> int:
    """Run the demonstration and return the exit code: 0 only if every task succeeded."""
    console = Console(highlight=False)
    _clean(FOLDER)
    try:
        with running_system(
            FOLDER,
            environ,
            workers=1,
            announce=lambda line: console.print(f"[dim]{line}[/]", soft_wrap=True),
            on_line=_log,
        ) as system:
            console.print("[dim]Worker and projections: ready[/]\n")
            return _demonstrate(system, console)
    except BatchTaskError as error:
        sys.stderr.write(f"demo: {error}\n")
        return CANNOT_RUN
    except KeyboardInterrupt:
        console.print("\nStopped; so is everything that this started.")
        return STOPPED


def _demonstrate(system: System, console: Console) -> int:
    engine = make_engine(system.exports["BATCHTASK_DATABASE_URL"])
    try:
        with engine.begin() as connection:
            crm = load_sample_crm(connection)
        console.print(f"Sample CRM: {crm.companies} companies, {crm.persons} persons.\n")
        archive = Path(system.exports["BATCHTASK_ARCHIVE_DIR"])
        (archive / "template").mkdir(parents=True, exist_ok=True)
        write_sample_template(archive / "template" / TEMPLATE)
        requests = _requests(crm)
        with Producer(system.settings) as producer:
            task_ids = producer.submit_many(requests)
        rows = watch_tasks(Queries(engine), task_ids, deadline=time.monotonic() + DEADLINE_SECONDS)
    finally:
        engine.dispose()
    order = {task_id: place for place, task_id in enumerate(task_ids)}
    rows.sort(key=lambda row: order[TaskId(row.task_id)])
    print_report(console, rows)
    succeeded = [row for row in rows if row.state is State.Succeeded]
    return ALL_SUCCEEDED if len(succeeded) == len(task_ids) else SOME_FAILED


def _requests(crm: SampleCrm) -> Sequence[TaskRequest]:
    letters = {"template": TEMPLATE, "heading": "Our spring catalogue", "our_ref": "{auth}/spring"}
    merges = [
        (
            "Spring letters to 250 companies",
            {"selection_id": crm.newsletter_selection_id, "file_name": "letters.docx"},
        ),
        ("The awkward addresses", {"selection_id": crm.awkward_selection_id, "file_name": "awkward.docx"}),
    ]
    if shutil.which("soffice"):
        as_pdf = {"selection_id": crm.newsletter_selection_id, "file_name": "letters.pdf", "output": "pdf"}
        merges.append(("Spring letters as PDF", as_pdf))
    naps = [("A short nap", 2, 4), ("A longer nap", 5, 10)]
    return [
        *(
            TaskRequest(name="mail-merge", owner=crm.associate_id, description=text, parameters={**letters, **more})
            for text, more in merges
        ),
        *(
            TaskRequest(
                name="sleep",
                owner=crm.associate_id,
                description=text,
                parameters={"seconds": seconds, "steps": steps},
            )
            for text, seconds, steps in naps
        ),
    ]


def _clean(folder: Path) -> None:
    """Begin with nothing of an earlier run; only what this demonstration made lies there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True, exist_ok=True)


def _log(part: str, line: str) -> None:
    with (FOLDER / "logs" / f"{part}.log").open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(os.environ))
