"""What every kind of merge begins with: parameters that fit together, whom to write to, what all letters share."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

from sqlalchemy import Connection, func, or_, select

from batchtask import crm7
from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.crm.addresses import Country
from worker.tasks.crm.collations import text_order
from worker.tasks.crm.file_names import result_name
from worker.tasks.crm.languages import Language, find_language, known_languages
from worker.tasks.crm.rights import Reader
from worker.tasks.crm.senders import SelectionRow, load_layouts, load_selection, load_sender, load_user
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.by_email.placeholders import Placeholders
from worker.tasks.mail_merge.consents import needed_purpose
from worker.tasks.mail_merge.derived import of_sender
from worker.tasks.mail_merge.recipients import Choice
from worker.tasks.mail_merge.records import load_records
from worker.tasks.mail_merge.user_fields import load_user_fields
from worker.tasks.mail_merge.variables import TEXTS, Merge, rules_of, unknown_in


def check(parameters: MailMerge) -> Language:
    """Refuse parameters that contradict one another.

    Raises:
        TaskFailure: Names the parameters.
    """
    if parameters.output == "labels":
        _check_labels(parameters)
    elif bool(parameters.template) == bool(parameters.template_id):
        raise TaskFailure("Name one template: either template (a path) or template_id (a number).")
    if not (parameters.selection_id or parameters.contact_ids or parameters.person_ids):
        raise TaskFailure("Name the recipients: selection_id, contact_ids or person_ids.")
    if parameters.prefer_company and not parameters.include_companies:
        raise TaskFailure("prefer_company needs include_companies: it writes to companies in place of persons.")
    _check_texts(parameters)
    if unknown := unknown_in(parameters.file_pattern):
        raise TaskFailure(f"The file_pattern names {unknown[0]}, which is no variable: correct the spelling.")
    language = find_language(parameters.language)
    if language is None:
        raise TaskFailure(f"The language {parameters.language!r} is not known; known are {known_languages()}.")
    return language


def _check_texts(parameters: MailMerge) -> None:
    """Refuse unknown variables in what the user has typed, as in a template."""
    rules = rules_of(parameters)
    for field in TEXTS.values():
        unknown = sorted(Placeholders(str(getattr(parameters, field)), rules).unknown)
        if unknown and parameters.unknown_variables == "fail":
            raise TaskFailure(f"The {field} names {unknown[0]}, which is no variable: correct the spelling.")


def _check_labels(parameters: MailMerge) -> None:
    if not parameters.label_layout_id:
        raise TaskFailure("Name the sheet that the labels are printed on: label_layout_id.")
    if parameters.template or parameters.template_id or parameters.separate_files:
        raise TaskFailure("Labels have no template and no separate files: leave out those parameters.")
    if parameters.skip_labels < 0:
        raise TaskFailure("skip_labels counts the labels that are gone from the first sheet: give 0 or more.")


def selection_of(connection: Connection, parameters: MailMerge, reader: Reader) -> SelectionRow | None:
    """Read the selection that recipients come from; None if they are named one by one.

    Raises:
        TaskFailure: There is none of that number that the user may read.
    """
    if not parameters.selection_id:
        return None
    found = load_selection(connection, parameters.selection_id, reader)
    if found is None:
        raise TaskFailure(
            f"There is no selection {parameters.selection_id} that you may read: it may have been deleted, or not be "
            "shared with you."
        )
    return found


def choice_of(
    connection: Connection,
    parameters: MailMerge,
    selection: SelectionRow | None,
    *,
    reader: Reader,
    language: Language,
) -> Choice:
    """Say who is meant by the parameters, and by what the selection says of itself.

    Raises:
        TaskFailure: There is no such kind of mailing.
    """
    _require_shipment_type(connection, parameters.shipment_type_id)
    mode = parameters.include_person
    if mode == "selection":
        mode = "first" if selection is None else selection.mode  # type: ignore[assignment]
    one_per_company = parameters.one_per_company
    if one_per_company is None:
        one_per_company = selection is not None and selection.one_per_company
    return Choice(
        selection_id=parameters.selection_id,
        contact_ids=parameters.contact_ids,
        person_ids=parameters.person_ids,
        mode=mode,
        include_companies=parameters.include_companies,
        prefer_company=parameters.prefer_company,
        one_per_company=one_per_company,
        sorting=parameters.sorting,
        order=text_order(connection, language),
        reader=reader,
        consent_purpose_id=0 if parameters.override_consent else needed_purpose(connection),
        shipment_type_id=0 if parameters.override_consent else parameters.shipment_type_id,
    )


def _require_shipment_type(connection: Connection, shipment_type_id: int) -> None:
    """Refuse a kind of mailing that there is not: nobody could have declined it, and all would be written to."""
    table = crm7.shipmenttype.c
    found = select(table.shipmenttype_id).where(table.shipmenttype_id == shipment_type_id)
    if shipment_type_id and connection.execute(found).first() is None:
        raise TaskFailure(f"There is no kind of mailing {shipment_type_id}: choose another shipment_type_id.")


def shared_by_all(
    connection: Connection,
    context: TaskContext,
    parameters: MailMerge,
    *,
    reader: Reader,
    selection: SelectionRow | None,
    language: Language,
    countries: dict[int, Country],
    now: datetime,
) -> Merge:
    """Gather what all letters share; `now` is the time that they tell.

    Raises:
        TaskFailure: There is no such sender, project, sale or document that the user may read.
    """
    _require_sender(connection, parameters, reader)
    sender = load_sender(connection, parameters.sender_id or context.owner)
    own_country = countries.get(sender.country_id, Country())
    user_fields = load_user_fields(connection)
    if day := parameters.letter_date:
        now = now.replace(year=day.year, month=day.month, day=day.day)
    return Merge(
        parameters=parameters,
        sender=sender,
        own_country=own_country,
        layouts=load_layouts(connection, own_country),
        language=language,
        now=now,
        selection_name=selection.name if selection else "",
        file_name=file_name(parameters, context),
        user_fields=user_fields,
        records={
            **load_records(connection, parameters, reader, user_fields, language),
            **load_user(connection, context.owner),
            **of_sender(sender, language),
            **{name: user_fields.text(name, value, language) for name, value in sender.user_fields.items()},
        },
    )


def _require_sender(connection: Connection, parameters: MailMerge, reader: Reader) -> None:
    """Refuse to sign for somebody else whom the user may not read: letters can tell the sender's home address."""
    if parameters.sender_id in {0, reader.associate_id}:
        return
    associate, person = crm7.associate, crm7.person
    readable = select(person.c.person_id).where(reader.sees("person", person))
    found = select(associate.c.associate_id).where(
        associate.c.associate_id == parameters.sender_id,
        or_(func.coalesce(associate.c.person_id, 0) == 0, associate.c.person_id.in_(readable)),
    )
    if connection.execute(found).first() is None:
        raise TaskFailure(f"There is no user {parameters.sender_id} that you may read: choose another sender_id.")


def file_name(parameters: MailMerge, context: TaskContext) -> str:
    """Name the result; without a wish, by template and task."""
    otherwise = "labels" if parameters.output == "labels" else "letters"
    stem = PurePath(parameters.template.replace("\\", "/")).stem or otherwise
    return result_name(parameters.file_name, f"{stem}-{str(context.task_id)[-12:]}", _suffix(parameters))


def _suffix(parameters: MailMerge) -> str:
    if parameters.separate_files:
        return ".zip"
    return ".docx" if parameters.output == "docx" else ".pdf"
