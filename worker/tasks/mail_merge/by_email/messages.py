"""A mail as it travels: headers that say who, to whom and why, the text, the HTML beside it, and attachments."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path

from batchtask.definitions import TaskFailure
from batchtask.identifiers import TaskId
from worker.tasks.mail_merge.by_email.content import Filled
from worker.tasks.mail_merge.by_email.headers import header_text, mailbox, write_headers
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress

#: Of all files together; as they travel they are a third larger, and many servers take 25 MB. A guess.
MOST_ATTACHED_BYTES = 15 * 1024 * 1024

#: Kinds of mails and their parts: what is in them would be read as a part of this mail.
_NO_FILES = ("message/", "multipart/")


@dataclass(frozen=True, kw_only=True)
class Attachment:
    name: str
    kind: str  #: main type and subtype, such as "application/pdf"
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What all mails share beside their content."""

    sender: MailAddress
    sender_name: str
    reply_to: MailAddress | None
    task_id: TaskId
    can_unsubscribe: bool  #: the mailing is of a kind that people may decline
    attachments: tuple[Attachment, ...] = ()

    def message_id(self, recipient_id: int) -> str:
        """Name the mail to a recipient: the same in every attempt, so that a mail server could tell a repetition."""
        return f"<{self.task_id}.{recipient_id}@{self.sender.domain}>"

    def write(self, filled: Filled, recipient: MailAddress, recipient_name: str, recipient_id: int) -> bytes:
        """Write the mail to one recipient, with a line end after its last line."""
        headers = self._headers(filled.subject, recipient, recipient_name, recipient_id)
        return write_headers(headers) + self._body(filled)

    def _headers(
        self, subject: str, recipient: MailAddress, name: str, recipient_id: int
    ) -> Iterator[tuple[str, str]]:
        international = recipient.is_international or self.sender.is_international
        yield "From", mailbox(self.sender, self.sender_name, international=international)
        yield "To", mailbox(recipient, name, international=international)
        yield "Subject", header_text(subject, international=international)
        yield "Date", formatdate(localtime=True)
        yield "Message-ID", self.message_id(recipient_id)
        yield "Precedence", "bulk"  # keeps programs that answer by themselves from doing so
        if self.reply_to is not None:
            yield "Reply-To", str(self.reply_to)
        if self.can_unsubscribe:
            yield "List-Unsubscribe", f"<mailto:{self.reply_to or self.sender}?subject=unsubscribe>"

    def _body(self, filled: Filled) -> bytes:
        """Write text, HTML and attachments, with the headers that tell of them."""
        message = EmailMessage(SMTP.clone(cte_type="7bit"))
        message.set_content(filled.text)
        if filled.html:
            message.add_alternative(filled.html, subtype="html")
        for attachment in self.attachments:
            main, _, sub = attachment.kind.partition("/")
            message.add_attachment(attachment.data, maintype=main, subtype=sub, filename=attachment.name)
        return bytes(message).rstrip(b"\r\n") + b"\r\n"


def read_attachments(names: tuple[str, ...], archive: Path) -> tuple[Attachment, ...]:
    """Read the files that go with every mail.

    Args:
        names: Paths in the archive.
        archive: The document archive; see `archive` for why nothing else is read.

    Raises:
        TaskFailure: One cannot be read or lies elsewhere, or together they are too large for mails.
    """
    found = tuple(_read(name, archive) for name in names)
    size = sum(len(attachment.data) for attachment in found)
    if size > MOST_ATTACHED_BYTES:
        raise TaskFailure(
            f"The attachments have {size / 1e6:.1f} MB together, and {MOST_ATTACHED_BYTES / 1e6:.0f} MB are allowed: "
            "leave some out, or put a link into the mail."
        )
    return found


def _read(name: str, archive: Path) -> Attachment:
    try:
        path = (archive / name.replace("\\", "/")).resolve()
    except ValueError:  # a zero, or half a character
        raise TaskFailure(f"No file can be called {name!a}: correct the attachment's name.") from None
    if not path.is_relative_to(archive.resolve()):
        raise TaskFailure(f"The attachment {name} lies outside of the document archive: copy it there.")
    kind, encoding = mimetypes.guess_type(path.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaskFailure(f"The attachment {path} cannot be read: {error.strerror or error}.") from error
    if kind is None or encoding or kind.startswith(_NO_FILES):
        kind = "application/octet-stream"
    return Attachment(name=path.name, kind=kind, data=data)
