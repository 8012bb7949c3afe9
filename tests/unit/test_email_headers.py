"""The header of a mail whose names and subject somebody typed into the CRM, with whatever in mind."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.definitions import TaskFailure
from batchtask.identifiers import TaskId
from worker.tasks.mail_merge.by_email.content import Filled
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress, read_address
from worker.tasks.mail_merge.by_email.messages import Letterhead, read_attachments
from worker.tasks.mail_merge.by_email.placeholders import one_line

TASK_ID = TaskId("01890000-0000-7000-8000-00000000002a")
NAMES = [
    "From", "To", "Subject", "Date", "Message-ID", "Precedence", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version",
]  # fmt: skip
#: Pieces that have a meaning in headers, between letters of several scripts.
TYPED = st.lists(
    st.sampled_from(
        ["Anna", "Bjørn", "漢字", "AS,", "(Oslo)", '"K"', "<a@b.no>", "Müller;", "GmbH:", "\\", "=?utf-8?q?x?=",
         "=?utf-8?b?YQ0KQmNjOiB4QHkueg==?=", "\r\nBcc: x@y.z", "\0", "שלום", "x" * 90]
    ),
    max_size=40,
).map(" ".join)  # fmt: skip


def address(text: str) -> MailAddress:
    found = read_address(text)
    assert found is not None
    return found


def letterhead(name: str = "Kari", **values: object) -> Letterhead:
    settings = {"sender": address("kari@sender.example"), "reply_to": None, "task_id": TASK_ID} | values
    return Letterhead(sender_name=name, can_unsubscribe=False, **settings)  # type: ignore[arg-type]


def write(subject: str, name: str, to: str = "anna@example.test") -> bytes:
    return letterhead(name).write(Filled(subject=subject, text="text", html=""), address(to), name, 7)


@given(subject=TYPED, name=TYPED, to=st.sampled_from(["anna@example.test", "josé@example.test"]))
def test_what_somebody_typed_is_text_in_a_header_and_nothing_else(subject: str, name: str, to: str) -> None:
    mail = write(subject, name, to)
    head = mail.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    found = BytesHeaderParser(policy=compat32).parsebytes(mail)
    assert found.keys() == NAMES
    raw = head.decode().replace("\r\n ", " ")
    values = dict(line.split(": ", 1) for line in raw.split("\r\n"))
    assert str(make_header(decode_header(values["Subject"]))) == one_line(subject)
    [(shown, mail_address)] = getaddresses([values["To"]])
    assert mail_address == to
    assert str(make_header(decode_header(shown))) == one_line(name)


@pytest.mark.parametrize("evil", ["=?utf-8?q?a=0D=0ABcc:_x@y.z?=", "=?utf-8?b?YQ0KQmNjOiB4QHkueg0KDQpib2R5?="])
def test_an_encoded_word_in_a_name_is_not_decoded(evil: str) -> None:
    mail = write(evil, evil)
    assert b"Bcc" not in mail
    assert mail.endswith(b"\r\n\r\ntext\r\n")


def test_a_plain_name_is_written_as_it_is_and_a_special_one_in_quotation_marks() -> None:
    assert b"To: Anna Lie <anna@example.test>\r\n" in write("x", "Anna Lie")
    assert b'To: "Lie, \\"Anna\\"" <anna@example.test>\r\n' in write("x", 'Lie, "Anna"')
    assert "To: Ærlig Åse <josé@example.test>\r\n".encode() in write("x", "Ærlig Åse", "josé@example.test")
    assert b"To: anna@example.test\r\n" in write("x", "")


@pytest.mark.parametrize(("name", "kind"), [("offer.eml", "application/octet-stream"), ("a.txt", "text/plain")])
def test_a_mail_that_is_attached_is_a_file_like_any_other(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"Subject: x\n\ny")
    attachments = read_attachments((name,), tmp_path)
    filled = Filled(subject="x", text="text", html="")
    mail = letterhead(attachments=attachments).write(filled, address("anna@example.test"), "Anna", 7)
    assert f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64".encode() in mail


def test_an_attachment_that_no_file_can_be_called_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match="No file can be called"):
        read_attachments(("a\0b.pdf",), tmp_path)
