"""One mail with the list, and which errors prove that it was not sent."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

from batchtask.definitions import TaskFailure
from batchtask_overdue_sales import MailServerAway, OverdueSales


class MailNotTaken(TaskFailure):
    """The server said no: it will say so tomorrow, too. With a sentence for the user."""


#: Nothing was sent; any other error leaves that in doubt, and the ledger of effects says so.
NOT_SENT = (MailNotTaken, MailServerAway)


def send(parameters: OverdueSales, path: Path, told: str, *, message_id: str) -> str:
    """Send the list and return the id of the message.

    Raises:
        MailNotTaken: The server refused it.
        MailServerAway: There is no connection.
    """
    message = EmailMessage()
    message["Message-ID"] = message_id  # the same in every attempt
    message["From"] = "batchtask@localhost"
    message["To"] = parameters.report_to
    message["Subject"] = f"Overdue sales before {parameters.until}"
    message.set_content(told)
    message.add_attachment(path.read_bytes(), maintype="text", subtype="csv", filename=path.name)
    with _connect(parameters) as server:
        try:
            server.send_message(message)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise MailNotTaken(f"The mail server refused to write to {parameters.report_to}: {error}.") from error
    return message_id


def _connect(parameters: OverdueSales) -> smtplib.SMTP:
    try:
        return smtplib.SMTP(parameters.mail_server, parameters.mail_port, timeout=20)
    except (OSError, UnicodeError) as error:  # smtplib's own are of the first kind, too
        where = f"{parameters.mail_server}:{parameters.mail_port}"
        raise MailServerAway(f"The mail server {where} cannot be reached ({error}); nothing was sent.") from error
