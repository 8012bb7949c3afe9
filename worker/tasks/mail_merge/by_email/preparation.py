"""What is known before the first mail goes out."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from batchtask import crm7
from batchtask.definitions import TaskContext
from worker.tasks.crm.rights import load_reader
from worker.tasks.crm.senders import load_countries, load_sender
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.archive import find_template
from worker.tasks.mail_merge.by_email.accounts import load_account
from worker.tasks.mail_merge.by_email.audience import Audience
from worker.tasks.mail_merge.by_email.content import Compiled, Content, read_content
from worker.tasks.mail_merge.by_email.ledger import Ledger
from worker.tasks.mail_merge.by_email.live_fields import LiveFields
from worker.tasks.mail_merge.by_email.mail_addresses import read_address
from worker.tasks.mail_merge.by_email.mailing import Mailing, Plan, begin_mailing, find_mailing
from worker.tasks.mail_merge.by_email.messages import Letterhead, read_attachments
from worker.tasks.mail_merge.by_email.pace import Pace
from worker.tasks.mail_merge.by_email.sending import Sending
from worker.tasks.mail_merge.by_email.server import MailServer
from worker.tasks.mail_merge.preparation import check, choice_of, selection_of, shared_by_all
from worker.tasks.mail_merge.variables import Merge, Variables, rules_of

_SORTINGS = {"company": 2, "person": 4, "postcode": 1, "selection": 0}  # RecipientSorting of the CRM


class Preparation:
    """What is known before the first mail: the account, the mailing, and whatever all mails share.

    Raises:
        TaskFailure: Parameters, account, selection or attachments are not as they must be.
    """

    def __init__(self, context: TaskContext, connection: Connection, parameters: MailMerge) -> None:
        self._context = context
        self._connection = connection
        self._parameters = parameters
        self._language = check(parameters)
        self._countries = load_countries(connection)
        self._reader = load_reader(connection, context.owner)
        self._selection = selection_of(connection, parameters, self._reader)
        choice = choice_of(connection, parameters, self._selection, reader=self._reader, language=self._language)
        self._audience = Audience(connection, replace(choice, electronic=True), self._countries)
        self.account = load_account(connection, context, parameters)
        self._reply_to = read_address(parameters.reply_to) if parameters.reply_to else None
        self._attachments = read_attachments(parameters.attachments, context.archive_dir)

    def find_or_begin(self) -> Mailing:
        """Find the mailing that an earlier attempt began, or begin it.

        Raises:
            TaskFailure: The template cannot be used, or nobody is left to write to.
            LeaseLost: Somebody else works on the task by now.
        """
        mailing = find_mailing(self._connection, self._context)
        if mailing is None:
            self._context.progress(0, "Choosing the recipients")
            plan = self._plan()
            begin_mailing(self._context, plan, self._audience.everybody(self._context))
            self._connection.rollback()
            mailing = find_mailing(self._connection, self._context)
        assert mailing is not None
        self._connection.rollback()  # while mails are written, no transaction stays open
        return mailing

    def sending(self, mailing: Mailing, ledger: Ledger, server: MailServer, put_off_so_far: int) -> Sending:
        compiled = self._compile(mailing.content)
        fields = LiveFields(self._connection, lambda: Variables(self._merge(mailing), compiled.names))
        return Sending(
            self._context,
            ledger,
            server,
            pace=Pace(self._parameters.mails_per_minute, ledger.seconds_since_last()),
            audience=self._audience,
            compiled=compiled,
            fields=fields,
            letterhead=self._letterhead(),
            put_off_so_far=put_off_so_far,
        )

    def _plan(self) -> Plan:
        parameters = self._parameters
        path = find_template(self._connection, parameters, self._context.archive_dir)
        content = read_content(path, parameters.subject or _subject(self._connection, parameters.template_id))
        self._compile(content)  # for its errors: nobody gets a mail if the last one could not be written
        selection = self._selection
        return Plan(
            description=(selection.name if selection else "") or content.subject,
            content=content,
            from_address=str(self.account.address),
            reply_to=parameters.reply_to,
            server=self.account.host,
            port=self.account.port,
            mails_per_minute=parameters.mails_per_minute,
            selection_id=parameters.selection_id,
            project_id=parameters.project_id,
            shipment_type_id=parameters.shipment_type_id,
            sorting=_SORTINGS[parameters.sorting],
            one_per_address=parameters.one_per_address,
        )

    def _compile(self, content: Content) -> Compiled:
        drop_blank_lines = self._parameters.blank_lines == "remove"
        return Compiled(content, rules_of(self._parameters), drop_blank_lines=drop_blank_lines)

    def _merge(self, mailing: Mailing) -> Merge:
        return shared_by_all(
            self._connection,
            self._context,
            self._parameters,
            reader=self._reader,
            selection=self._selection,
            language=self._language,
            countries=self._countries,
            now=mailing.began_at,
        )

    def _letterhead(self) -> Letterhead:
        sender = load_sender(self._connection, self._parameters.sender_id or self._context.owner)
        return Letterhead(
            sender=self.account.address,
            sender_name=sender.values["auth"],
            reply_to=self._reply_to,
            task_id=self._context.task_id,
            can_unsubscribe=self._parameters.shipment_type_id != 0,
            attachments=self._attachments,
        )


def _subject(connection: Connection, template_id: int) -> str:
    """The subject that a row of DocTmpl has for mails; "" for none."""
    query = select(crm7.doctmpl.c.emailsubject).where(crm7.doctmpl.c.doctmpl_id == template_id)
    return connection.execute(query).scalar_one_or_none() or ""
