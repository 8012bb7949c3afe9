"""Where templates lie: in the CRM's document archive, and nowhere else.

A task's parameters come from whoever may submit one. Were any path taken that the worker can read, a user could have
other people's files merged and sent to themselves.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from batchtask import crm7
from batchtask.definitions import TaskFailure
from worker.tasks.mail_merge import MailMerge


def find_template(connection: Connection, parameters: MailMerge, archive: Path) -> Path:
    """Return the path of the template that the parameters name; nothing says yet that it is there.

    Raises:
        TaskFailure: The CRM knows no template of that number, or the path leads out of the archive or nowhere.
    """
    named = parameters.template or _file_name(connection, parameters.template_id)
    # Paths in the CRM are written by Windows clients.
    try:
        path = (archive / parameters.template_folder / named.replace("\\", "/")).resolve()
    except ValueError:  # a zero, or half a character
        raise TaskFailure(f"No file can be called {named!a}: correct the template's name.") from None
    if not path.is_relative_to(archive.resolve()):
        raise TaskFailure(
            f"The template {named} lies outside of the document archive {archive}: copy it into the archive and "
            "name it from there."
        )
    return path


def _file_name(connection: Connection, template_id: int) -> str:
    table = crm7.doctmpl.c
    found = connection.execute(select(table.filename).where(table.doctmpl_id == template_id)).scalar_one_or_none()
    if found is None:
        raise TaskFailure(f"There is no document template {template_id}: choose another.")
    return str(found)
