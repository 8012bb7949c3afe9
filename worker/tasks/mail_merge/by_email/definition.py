"""What the task's definition needs of the merge by e-mail: its parameters, and the errors worth another attempt."""

from __future__ import annotations

from typing import Literal

import msgspec

from batchtask.definitions import TaskFailure
from worker.tasks.crm.record_ids import RecordId


class EmailParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only `output="email"` asks for; the template is a .html, .txt or .eml then."""

    subject: str = ""  #: may hold variables; "" = what the template says
    email_account_id: RecordId = 0  #: account that sends; 0 = the default account of the user who submitted
    reply_to: str = ""  #: address for answers; "" = the account's
    attachments: tuple[str, ...] = ()  #: files in the document archive that go with every mail
    mails_per_minute: int = 60  #: at most; 0 = as fast as the server takes them
    one_per_address: bool = True  #: an address that several recipients share gets one mail
    #: How the way to the mail server is encrypted. "auto": TLS from the start on port 465, STARTTLS elsewhere, and
    #: on this machine (localhost) not at all if the server offers none. "none" sends password and mails in clear.
    encryption: Literal["auto", "tls", "starttls", "none"] = "auto"


class MailServerAway(TaskFailure):
    """The mail server cannot be reached, or ended the connection, again and again; a later attempt goes on."""
