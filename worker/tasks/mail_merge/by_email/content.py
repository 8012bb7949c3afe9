"""What a mail says: subject, text and HTML, read from a template file and filled for each recipient."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from batchtask.definitions import TaskFailure
from worker.tasks.mail_merge.by_email.placeholders import Placeholders, in_html, in_subject, in_text, one_line
from worker.tasks.mail_merge.by_email.plain_text import to_plain_text
from worker.tasks.mail_merge.variables_in_text import Rules

#: Of `s_message.subject`.
_LONGEST_SUBJECT = 255
_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Content:
    """A mail with its variables still in it."""

    subject: str
    text: str
    html: str = ""  #: "" for a mail of plain text


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What one recipient reads."""

    subject: str
    text: str
    html: str


def read_content(path: Path, subject: str) -> Content:
    """Read a template: .html (the plain text is made of it), .txt, or .eml, which may hold both and a subject.

    Args:
        path: Of the template.
        subject: Wins over the template's; "" = the template must say one.

    Raises:
        TaskFailure: It is not there, of another kind, or there is no subject.
    """
    found = _read(path)
    chosen = one_line(subject or found.subject)
    if not chosen:
        raise TaskFailure("The mails have no subject: give one with the parameter subject.")
    if len(chosen) > _LONGEST_SUBJECT:
        raise TaskFailure(
            f"The subject has {len(chosen)} characters, and {_LONGEST_SUBJECT} are allowed: shorten it."
        )
    return Content(subject=chosen, text=found.text, html=found.html)


def _read(path: Path) -> Content:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaskFailure(f"The template {path} cannot be read: {error.strerror or error}.") from error
    match path.suffix.lower():
        case ".html" | ".htm":
            return _of_html(_decode(data, _declared(data)))
        case ".txt":
            return Content(subject="", text=_decode(data))
        case ".eml":
            return _of_message(path, data)
    raise TaskFailure(f"A mail is made of a template .html, .txt or .eml, not of {path.name}: choose another.")


def _of_html(html: str, subject: str = "") -> Content:
    return Content(subject=subject, text=to_plain_text(html), html=html)


def _of_message(path: Path, data: bytes) -> Content:
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    subject = str(message["Subject"] or "")
    try:
        shown = html.get_content() if html is not None else ""
        plain = text.get_content() if text is not None else to_plain_text(shown)
    except (LookupError, ValueError) as error:
        raise TaskFailure(f"The template {path.name} is damaged ({error}): save it again.") from error
    if not plain.strip():
        raise TaskFailure(f"The template {path.name} holds no text: choose another.")
    return Content(subject=subject, text=plain, html=shown)


def _declared(data: bytes) -> str:
    match = _CHARSET.search(data[:2048])
    return match[1].decode() if match else ""


def _decode(data: bytes, declared: str = "") -> str:
    """Editors write UTF-8, old ones Windows' own code page, which can be read whatever it is."""
    for charset in ("utf-8-sig", declared, "cp1252"):
        try:
            if charset and codecs.lookup(charset):
                return data.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("latin-1")


class Compiled:
    """Content that is ready to be filled.

    Raises:
        TaskFailure: It holds variables that nobody knows, and `rules` do not let them pass.
    """

    def __init__(self, content: Content, rules: Rules, *, drop_blank_lines: bool) -> None:
        self._subject = in_subject(content.subject, rules)
        self._text = in_text(content.text, rules, drop_blank_lines=drop_blank_lines)
        self._html = in_html(content.html, rules)
        unknown = {name for part in self._parts for name in part.unknown}
        if unknown and rules.unknown == "fail":
            raise TaskFailure(f"Nobody knows the variables {', '.join(sorted(unknown))}: correct the template.")

    @property
    def names(self) -> set[str]:
        """The variables in use."""
        return {name for part in self._parts for name in part.names}

    def fill(self, values: Mapping[str, str]) -> Filled:
        return Filled(subject=self._subject.fill(values), text=self._text.fill(values), html=self._html.fill(values))

    @property
    def _parts(self) -> tuple[Placeholders, ...]:
        return self._subject, self._text, self._html
