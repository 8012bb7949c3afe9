"""`make demo`: the whole system from nothing, a sample CRM, real tasks, and a table of what came of them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cryptography.fernet import Fernet
from rich.console import Console
from rich.markup import escape
from sqlalchemy import Connection

from batchtask.cli.system import System, running_system
from batchtask.cli.watching import watch_tasks
from batchtask.database import make_engine
from batchtask.demo.mailing import letterbox, send_through, write_mail_template
from batchtask.demo.report import print_report
from batchtask.demo.requests import Stage, requests
from batchtask.demo.sample_crm import load_sample_crm, write_sample_template
from batchtask.demo.sample_mail import load_sample_mail, sample_mail_server
from batchtask.errors import BatchTaskError
from batchtask.identifiers import TaskId
from batchtask.local.dovecot import Dovecot
from batchtask.sealing import Sealer
from batchtask.udef.owners import OWNERS
from batchtask.udef.publishing import start_publishing
from producer.blocking import Producer
from projections.queries import Queries
from projections.rows import State

FOLDER = Path("var/demo")
ARCHIVE = FOLDER / "archive"
TEMPLATE = "spring-letter.docx"
ALL_SUCCEEDED, SOME_FAILED, CANNOT_RUN, STOPPED = 0, 1, 2, 130
DEADLINE_SECONDS = 300


def main(environ: Mapping[str, str]) -> int:
    """Run the demonstration and return the exit code: 0 only if every task succeeded."""
    console = Console(highlight=False)
    _clean(FOLDER)
    announce = partial(_announce, console)
    try:
        with (
            sample_mail_server((FOLDER / "mail").absolute(), environ, announce) as mail_server,
            letterbox(FOLDER / "sent") as smtp_port,
            running_system(
                FOLDER, _environ(environ, mail_server), workers=1, announce=announce, on_line=_log
            ) as system,
        ):
            announce("Worker and projections: ready")
            if not shutil.which("soffice"):
                announce("LIBREOFFICE IS NOT INSTALLED, so letters as PDF are LEFT OUT")
            console.print()
            return _demonstrate(system, console, mail_server, smtp_port)
    except BatchTaskError as error:
        sys.stderr.write(f"demo: {error}\n")
        return CANNOT_RUN
    except KeyboardInterrupt:
        console.print("\nStopped; so is everything that this started.")
        return STOPPED


def _environ(environ: Mapping[str, str], mail_server: Dovecot | None) -> dict[str, str]:
    """What the parts are told: where the archive is, the key of passwords, and whom to trust."""
    trust = {"SSL_CERT_FILE": str(mail_server.ca_file)} if mail_server else {}
    own = {"BATCHTASK_ARCHIVE_DIR": str(ARCHIVE.absolute()), "BATCHTASK_SECRET_KEYS": Fernet.generate_key().decode()}
    return {**environ, **own, **trust}


def _demonstrate(system: System, console: Console, mail_server: Dovecot | None, smtp_port: int) -> int:
    engine = make_engine(system.exports["BATCHTASK_DATABASE_URL"])
    try:
        with engine.begin() as connection:
            stage = _set_up(connection, Sealer(system.settings.secret_keys), mail_server, smtp_port)
        console.print(f"Sample CRM: {stage.crm.companies} companies, {stage.crm.persons} persons.\n")
        with Producer(system.settings) as producer:
            task_ids = producer.submit_many(requests(stage))
        rows = watch_tasks(Queries(engine), task_ids, deadline=time.monotonic() + DEADLINE_SECONDS)
    finally:
        engine.dispose()
    order = {task_id: place for place, task_id in enumerate(task_ids)}
    rows.sort(key=lambda row: order[TaskId(row.task_id)])
    print_report(console, rows, FOLDER / "sent")
    succeeded = [row for row in rows if row.state is State.Succeeded]
    return ALL_SUCCEEDED if len(succeeded) == len(task_ids) else SOME_FAILED


def _set_up(connection: Connection, sealer: Sealer, mail_server: Dovecot | None, smtp_port: int) -> Stage:
    crm = load_sample_crm(connection)
    accounts = load_sample_mail(connection, mail_server, sealer) if mail_server else ()
    send_through(connection, crm.associate_id, smtp_port)
    start_publishing(connection, OWNERS["contact"], crm.associate_id)  # as the CRM does before it submits
    letter = ARCHIVE / "template" / "spring-letter.docx"
    letter.parent.mkdir(parents=True)
    write_sample_template(letter)
    return Stage(crm=crm, letter=letter.name, mail=write_mail_template(ARCHIVE), accounts=accounts)


def _announce(console: Console, line: str) -> None:
    console.print(f"[dim]{escape(line)}[/]", soft_wrap=True)


def _clean(folder: Path) -> None:
    """Begin with nothing of an earlier run; only what this demonstration made lies there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True, exist_ok=True)


def _log(part: str, line: str) -> None:
    with (FOLDER / "logs" / f"{part}.log").open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(os.environ))
