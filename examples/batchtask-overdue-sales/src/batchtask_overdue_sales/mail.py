"""One mail with the list, and which errors prove that it was not sent."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

from batchtask_overdue_sales import OverdueSales


class MailNotTaken(Exception):
    """The server said no: it will say so tomorrow, too."""


#: Nothing was sent; any other error leaves that in doubt, and the ledger of effects says so.
NOT_SENT = (MailNotTaken, ConnectionRefusedError)


def send(parameters: OverdueSales, path: Path, told: str, *, message_id: str) -> str:
    """Send the list and return the id of the message.

    Raises:
        MailNotTaken: With a sentence for the user.
        ConnectionRefusedError: Nobody answers; later, perhaps.
    """
    message = EmailMessage()
    message["Message-ID"] = message_id  # the same in every attempt
    message["From"] = "batchtask@localhost"
    message["To"] = parameters.report_to
    message["Subject"] = f"Overdue sales before {parameters.until}"
    message.set_content(told)
    message.add_attachment(path.read_bytes(), maintype="text", subtype="csv", filename=path.name)
    with smtplib.SMTP(parameters.mail_server, parameters.mail_port, timeout=20) as server:
        try:
            server.send_message(message)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise MailNotTaken(f"The mail server refused to write to {parameters.report_to}: {error}.") from error
    return message_id
