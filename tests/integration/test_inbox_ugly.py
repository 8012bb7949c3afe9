"""Mail that nobody should have sent, through a real mail server."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from batchtask.local.dovecot import Dovecot
from tests.inbox_support import KARI, NOW, Desk, letter, letters
from worker.tasks.inbox.imap.wire import Wire


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Desk:
    return Desk(database_url, tmp_path)


UGLY = {
    "nothing": b"",
    "no header": b"\r\nonly text\r\n",
    "nul": b"Subject: a\0b\r\nFrom: x\0@y.example\r\n\r\nte\0xt\r\n",
    "raw latin-1": b"Subject: bl\xe5b\xe6r\r\nFrom: P\xe5l <pal@y.example>\r\n\r\n\xe6\xf8\xe5\r\n",
    "broken words": b"Subject: =?utf-8?B?w6X=?= =?nope?Q?=FF?= =?utf-8?B?!?=\r\n\r\nx\r\n",
    "bad date": b"Date: Tomorrow, maybe\r\nSubject: bad date\r\n\r\nx\r\n",
    "far date": b"Date: Mon, 1 Jan 9999 00:00:00 -2359\r\nSubject: far\r\n\r\nx\r\n",
    "bad charset": b"Content-Type: text/plain; charset=klingon\r\nSubject: charset\r\n\r\nbl\xe5\r\n",
    "bad base64": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!Zm9v YmFy=\r\n",
    "no end": b"Content-Type: multipart/mixed; boundary=b\r\nSubject: no end\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\nCon",
    "long subject": b"Subject: " + "å".encode() * 3000 + b"\r\n\r\nx\r\n",
    "many lines": b"".join(b"X-Line-%d: %d\r\n" % (n, n) for n in range(10_000)) + b"Subject: behind\r\n\r\nx\r\n",
    "many people": b"Subject: all\r\nTo: "
    + b",\r\n ".join(b"n%d@y.example" % n for n in range(4000)) + b"\r\n\r\nx\r\n",
    "year 0": b"Date: Sat, 01 Jan 0000 00:00:00 +0000\r\nSubject: far back\r\n\r\nx\r\n",
    "long sender": b'From: "' + b"x" * 5000 + b'" <a@b.example>\r\nSubject: sender\r\n\r\nx\r\n',
    "injection": b"Subject: =?utf-8?Q?a=0D=0ABcc:_b=40c.example?=\r\n"
    b"From: =?utf-8?B?YQ0KYg==?= <a@b.example>\r\n\r\nx\r\n",
    "parentheses": b"Subject: par\r\nFrom: " + b"(" * 5000 + b"a@b.example\r\n\r\nx\r\n",
    "long id": b"Message-ID: <" + b"i" * 2000 + b"@x>\r\nSubject: id\r\n\r\nx\r\n",
    "deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)
    ) + b"\r\ndeep\r\n",
    "calendar": b"Subject: Meeting\r\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\r\n"
    b"\r\nBEGIN:VCALENDAR\r\n",
    "html": b"Subject: html\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
    b"<p>Bl\xe5b\xe6r<script>x()</script><p>og\r\n",
    "attachment": b"Subject: file\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
    b"Content-Type: application/pdf\r\n"
    b"Content-Disposition: attachment; filename*0*=utf-8''%C3%A5; filename*1=.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--b--\r\n",
}  # fmt: skip


def test_no_mail_however_ugly_stops_a_folder(
    desk: Desk, mail_server: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    desk.account(mail_server.port)
    mail_server.deliver(KARI, [(octets, NOW) for octets in UGLY.values()])
    mail_server.deliver(KARI, letters(1))
    assert f"{len(UGLY) + 1} new messages" in str(desk.run())
    items = dict(zip([*UGLY, "letter"], desk.items(), strict=True))
    assert items["raw latin-1"]["subject"] == "blåbær"
    assert items["raw latin-1"]["from"] == "Pål <pal@y.example>"
    assert items["raw latin-1"]["plain_body"] == "æøå\r\n"
    assert items["bad charset"]["plain_body"] == "blå\r\n"
    assert items["bad date"]["sent_at"] is None
    assert items["far date"]["sent_at"] is None
    assert items["year 0"]["sent_at"] is None
    assert items["long sender"]["from"] == "x" * 3999 + "…"
    assert (items["injection"]["subject"], items["injection"]["from"]) == ("a Bcc: b@c.example", "a b <a@b.example>")
    assert len(items["long subject"]["subject"]) == 255
    assert items["many lines"]["subject"] == "behind"
    assert len(items["many people"]["to"]) <= 4000
    assert items["many people"]["to"].endswith("…")
    assert items["calendar"]["cal_data"] == "BEGIN:VCALENDAR\r\n"
    assert items["html"]["plain_body"] == "Blåbær\n\nog"
    assert items["attachment"]["has_attachment"] == 1
    assert desk.rows("SELECT filename, size FROM crm7.email_attachment WHERE filename <> ''") == [
        {"filename": "å.pdf", "size": 5}
    ]
    said = [record.getMessage() for record in caplog.records]
    assert any("its date cannot be read" in line and "INBOX: message" in line for line in said)


def test_a_large_attachment_is_not_fetched(desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    really = Wire._receive

    def counted(wire: Wire) -> None:
        before = len(wire._buffer)
        really(wire)
        received.append(len(wire._buffer) - before)

    monkeypatch.setattr(Wire, "_receive", counted)
    big = letter(1).replace(b"Content-Type: text/plain", b'Content-Type: application/zip; name="a.zip"')
    desk.account(mail_server.port)
    mail_server.deliver(KARI, [(big + b"x" * 76 * 100_000, NOW)])
    desk.run()
    assert sum(received) < 20_000
    assert desk.items()[0]["size"] > 7_000_000
