"""Mail merge: one letter per recipient of a selection, as one document, as a file each, or as labels.

Here are only the definition and its parameters, because the web tier loads them to check a submission. The work is
told in `run`; `template` takes a .docx apart, `recipients` asks the CRM who gets a letter, `letters` writes.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from batchtask.definitions import TaskContext, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Outcome
from batchtask.retrying import RetryPolicy
from worker.tasks.crm.record_ids import RecordId
from worker.tasks.mail_merge.by_email.definition import EmailParameters, MailServerAway


class MailMerge(EmailParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to merge with whom. One of `template` and `template_id`, and at least one recipient, must be given."""

    template: str = ""  #: path of a .docx in the document archive, absolute or from `template_folder`
    template_id: RecordId = 0  #: or a row of DocTmpl; its file is looked for below `template_folder`
    template_folder: str = "template"  #: the document archive's folder of templates
    selection_id: RecordId = 0  #: recipients: the members of a selection
    contact_ids: tuple[RecordId, ...] = ()  #: and these companies
    person_ids: tuple[RecordId, ...] = ()  #: and these persons

    #: pdf needs LibreOffice on the worker; labels are a PDF, too; email sends a mail to each recipient
    output: Literal["docx", "pdf", "labels", "email"] = "docx"
    separate_files: bool = False  #: a file for each recipient, all in one .zip
    file_pattern: str = "{name} {attn} {snum}"  #: names those files
    file_name: str = ""  #: of the result; "" = the template's name and the task's number
    label_layout_id: RecordId = 0  #: the sheet that labels are printed on, a row of SORLabelLayout
    skip_labels: int = 0  #: labels that are gone from the first sheet
    include_person: Literal["selection", "first", "all", "none"] = "selection"  #: of a member that is a company
    include_companies: bool = True  #: write to companies without a person; off = leave them out
    prefer_company: bool = False  #: one letter to each company, none to its persons
    one_per_company: bool | None = None  #: None = what the selection says
    sorting: Literal["company", "person", "postcode", "selection"] = "company"
    override_consent: bool = False  #: write to people who did not consent or declined this kind of mailing, too
    shipment_type_id: RecordId = 0  #: kind of mailing, a row of ShipmentType; 0 = none that one could decline
    start_on_odd_page: bool = False  #: for printing on both sides: every letter on a new sheet

    attention: str = ""  #: text for `{attn}`
    attention_use: Literal["if-none", "always"] = "if-none"  #: only where there is no person, or for everybody
    salutation: str = ""  #: text for `{salu}`; "" = Mr/Ms and last name
    heading: str = ""  #: `{head}`; like the next three it may itself hold variables
    our_ref: str = ""  #: `{oref}`
    your_ref: str = ""  #: `{yref}`
    description: str = ""  #: `{desc}`
    letter_date: date | None = None  #: `{date}` and its kin; None = the day the task runs
    language: str = "en"  #: of dates and numbers: en, en-US, nb, da, sv, de, nl, fr, pl or el
    project_id: RecordId = 0  #: project that the letters are about, for its variables
    sale_id: RecordId = 0  #: and sale
    document_id: RecordId = 0  #: document they are filed as: for its variables, and for texts that are not given here
    sender_id: RecordId = 0  #: associate who signs; 0 = whoever submitted the task

    #: A misspelt variable stops the merge before the first letter: one failed start costs less than a thousand
    #: letters that say {nmae}. "keep" prints the variable as it stands, "blank" prints nothing.
    unknown_variables: Literal["fail", "keep", "blank"] = "fail"
    case_sensitive: bool = False  #: the CRM's preference: `{NAME}` then prints the value in capitals
    blank_lines: Literal["remove", "keep"] = "remove"  #: lines of which only empty variables are left


# The limit lets the message be held, so that a dead worker is noticed at once. Letters may take longer: every attempt
# goes on where the one before was stopped. The PDF of all of them must be made within one.
@task(
    "mail-merge",
    timeout=1500,
    soft_timeout=1380,  # mails that are sent slowly then ask to go on in an attempt of their own
    retry=RetryPolicy(attempts=5, time_limit_attempts=3, retry_on=(StoreUnavailable, MailServerAway)),
    description="Write one letter to each recipient of a selection",
)
def mail_merge(context: TaskContext, parameters: MailMerge) -> Outcome:
    """Write one letter to each recipient, all into one file. A later attempt goes on behind the last letter."""
    # lxml and SQLAlchemy are the worker's own
    if parameters.output == "email":
        from worker.tasks.mail_merge.by_email.run import run as send  # noqa: PLC0415

        return send(context, parameters)
    from worker.tasks.mail_merge.run import run  # noqa: PLC0415

    return run(context, parameters)
