"""The mail merge, told in the order in which it happens. Read `run` first."""

from __future__ import annotations

from sqlalchemy import Connection

from batchtask.database import database_errors
from batchtask.definitions import TaskContext
from batchtask.outcomes import Outcome, Succeeded
from worker.tasks.crm.languages import Language
from worker.tasks.crm.rights import load_reader
from worker.tasks.crm.senders import load_countries
from worker.tasks.disk import disk_errors
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.merging import Merging
from worker.tasks.mail_merge.outputs import Output, make_output
from worker.tasks.mail_merge.preparation import check, choice_of, file_name, selection_of, shared_by_all
from worker.tasks.mail_merge.work import Work, working


def run(context: TaskContext, parameters: MailMerge) -> Outcome:
    """Merge and say what came of it. After a kill the next attempt goes on behind the last letter.

    Raises:
        TaskFailure: Something a user can mend; the sentence says what.
        StoreUnavailable: The database went away; a later attempt goes on.
    """
    language = check(parameters)
    target = context.result_path(file_name(parameters, context))
    with database_errors(), context.connect() as opened:
        # One moment for all: a field published meanwhile would have its values in another column than was read.
        connection = opened.execution_options(isolation_level="REPEATABLE READ")
        output = make_output(context, connection, parameters)
        with (
            disk_errors(target, again="start the merge again"),
            working(context, output.made_from) as work,
            database_errors(),
        ):
            merging = _prepare(context, connection, parameters, output=output, work=work, language=language)
            merging.settle_everybody(connection)
            merging.require_some()
            # Nothing was written; LibreOffice takes minutes, and an open transaction would hold back vacuum.
            connection.rollback()
            work.publish(output.write(context, work, merging.entries), target)
    return Succeeded(response=merging.summary(), file_name=str(target))


def _prepare(
    context: TaskContext,
    connection: Connection,
    parameters: MailMerge,
    *,
    output: Output,
    work: Work,
    language: Language,
) -> Merging:
    reader = load_reader(connection, context.owner)
    selection = selection_of(connection, parameters, reader)
    countries = load_countries(connection)
    merge = shared_by_all(
        connection,
        context,
        parameters,
        reader=reader,
        selection=selection,
        language=language,
        countries=countries,
        now=work.began_at,
    )
    choice = choice_of(connection, parameters, selection, reader=reader, language=language)
    return Merging(context, output, work, merge=merge, choice=choice, countries=countries)
