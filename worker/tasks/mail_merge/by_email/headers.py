"""The header of a mail, written by hand: what somebody typed into the CRM is text in it, and nothing else.

`email.message` reads a header's value before it writes it. It decodes what looks like an encoded word, line ends
included, so a person called `=?utf-8?q?=0D=0ABcc:_...?=` would add a header; and it loses the quotation marks of long
names. So values are only encoded here, never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.header import Header

from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress
from worker.tasks.mail_merge.by_email.placeholders import one_line

_ENCODED_WORD = "=?"
_SPECIAL = re.compile(r'[][()<>@,:;".\\]')  # a name with one of these needs quotation marks
#: Of a line, without its end, is 998 at most (https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1); longer texts are
#: encoded, which folds them. Names and addresses of the CRM have 255 characters each.
_LONGEST_BYTES = 600


def write_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Write lines of `Name: value`; values come from the functions below, or hold only our own words."""
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers)


def header_text(text: str, *, international: bool) -> str:
    """Write a text, in letters of any script where the server takes those, else in encoded words.

    Args:
        text: Anything.
        international: The mail is one that only servers with SMTPUTF8 take.
    """
    line = one_line(text)
    plain = line.isascii() or international
    if plain and _ENCODED_WORD not in line and len(line.encode()) <= _LONGEST_BYTES:
        return line
    # The name is that of the longest header, so that no first line is too long.
    return Header(line, "utf-8", maxlinelen=76, header_name="Reply-To").encode(linesep="\r\n")


def mailbox(address: MailAddress, name: str, *, international: bool) -> str:
    """Write an address with the name of whom it belongs to."""
    line = one_line(name)
    if not line:
        return str(address)
    shown = header_text(line, international=international)
    if shown == line and _SPECIAL.search(line):
        shown = '"' + re.sub(r'(["\\])', r"\\\1", line) + '"'
    return f"{shown}\r\n <{address}>" if len(shown) > 60 else f"{shown} <{address}>"
