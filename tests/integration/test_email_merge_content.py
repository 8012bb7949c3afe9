"""What recipients see of a mail, and what a user reads when there is none."""

from __future__ import annotations

import time
from email.headerregistry import AddressHeader
from itertools import pairwise

import pytest
from sqlalchemy import create_engine

from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.outcomes import Cancelled, Snoozed, Succeeded
from batchtask.testing import Killed
from tests.email_merge_support import Desk, Person, add_shipment_type, change, rows
from tests.mail_server import MailServer
from worker.tasks.mail_merge.by_email.definition import MailServerAway

ANNA = Person(first="Anna", last="Test")
HTML = """<html><head><meta charset="utf-8"></head><body><p>Dear {attn} of {name},</p>
<p><a href="https://shop.example/?c={atid}">Ωμέγα – 产品 – منتجات</a></p></body></html>"""


def test_a_mail_in_html_comes_with_its_text_in_plain(desk: Desk, mails: MailServer) -> None:
    [anna] = desk.know([ANNA])
    assert desk.send(HTML, name="mail.html") == Succeeded(response="Sent 1 of 1")
    [message] = mails.messages
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Dear Anna Test of Fjord &amp; Sønner &lt;AS&gt;," in html.get_content()
    assert f'href="https://shop.example/?c={anna}">Ωμέγα – 产品 – منتجات<' in html.get_content()
    assert (
        plain.get_content().splitlines()
        == (
            f"Dear Anna Test of Fjord & Sønner <AS>,\n\nΩμέγα – 产品 – منتجات (https://shop.example/?c={anna})"
        ).splitlines()
    )
    assert mails.raw[0].isascii()
    [kept] = rows(desk.database_url, "SELECT * FROM crm7.s_message")
    assert (kept["subject"], kept["html_message"], kept["flags"]) == ("News", HTML, 3)


def test_names_and_addresses_of_the_whole_world_arrive(desk: Desk, mails: MailServer) -> None:
    people = [
        Person(first="محمد", last="العربي", address="m@example.test"),
        Person(first="小明", last="王", address="x@例子.example"),
        Person(first="Zoë", last='O"Neil, <b>', address="z@example.test"),
        Person(first="Δημήτρης", last="Ω", address="δημήτρης@παράδειγμα.example"),
        Person(first="Eve\r\nBcc: all@example.test", last="X", address="e@example.test"),
    ]
    desk.know(people)
    assert desk.send("{attn}", subject="Til {attn}", sorting="selection") == Succeeded(response="Sent 5 of 5")
    found = {}
    for message, address in zip(mails.messages, mails.recipients, strict=True):
        header = message["To"]
        assert isinstance(header, AddressHeader)
        found[address] = header.addresses[0].display_name
        assert str(message["Subject"]) == f"Til {found[address]}"
        assert message["Bcc"] is None
    assert found == {
        "m@example.test": "محمد العربي",
        "x@xn--fsqu00a.example": "小明 王",
        "z@example.test": 'Zoë O"Neil, <b>',
        "δημήτρης@xn--hxajbheg2az3al.example": "Δημήτρης Ω",
        "e@example.test": "Eve Bcc: all@example.test X",
    }


def test_attachments_of_the_archive_go_with_every_mail(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA])
    desk.archive.mkdir()
    (desk.archive / "Prisliste æøå.pdf").write_bytes(b"%PDF-1.7 \x00\xff")
    desk.send(HTML, name="mail.html", attachments=["Prisliste æøå.pdf"])
    [attachment] = mails.messages[0].iter_attachments()
    assert attachment.get_filename() == "Prisliste æøå.pdf"
    assert attachment.get_content_type() == "application/pdf"
    assert attachment.get_content() == b"%PDF-1.7 \x00\xff"


def test_a_mail_that_was_saved_as_a_template_brings_subject_and_both_texts(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA])
    template = (
        "Subject: Hei {atfn}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"
        "--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlain {attn} å\r\n"
        "--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Html {attn}</p>\r\n--x--\r\n"
    )
    assert desk.send(template, name="mail.eml", subject="") == Succeeded(response="Sent 1 of 1")
    [message] = mails.messages
    assert str(message["Subject"]) == "Hei Anna"
    assert [part.get_content().strip() for part in message.iter_parts()] == [
        "Plain Anna Test å",
        "<p>Html Anna Test</p>",
    ]


def test_answers_go_where_the_user_wants_them(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA])
    engine = create_engine(desk.database_url)
    with engine.begin() as connection:
        add_shipment_type(connection, 7)
    engine.dispose()
    desk.send(reply_to="svar@sender.example", shipment_type_id=7)
    [message] = mails.messages
    assert str(message["Reply-To"]) == "svar@sender.example"
    assert str(message["List-Unsubscribe"]) == "<mailto:svar@sender.example?subject=unsubscribe>"
    assert str(message["Precedence"]) == "bulk"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"content": "{nmae} {name}"}, "Nobody knows the variables {nmae}: correct the template."),
        ({"subject": ""}, "The mails have no subject: give one with the parameter subject."),
        ({"subject": "x" * 256}, "The subject has 256 characters, and 255 are allowed: shorten it."),
        (
            {"name": "mail.docx"},
            "A mail is made of a template .html, .txt or .eml, not of mail.docx: choose",
        ),
        ({"reply_to": "nobody"}, "The address for answers 'nobody' is none: correct reply_to."),
        ({"email_account_id": 77}, "There is no mail account 77 that you may send with."),
        (
            {"attachments": ["/etc/passwd"]},
            "The attachment /etc/passwd lies outside of the document archive",
        ),
        ({"attachments": ["none.pdf"]}, "none.pdf cannot be read: No such file or directory."),
        ({"person_ids": [999]}, "Nobody is left to write to: the log says why of each recipient."),
        ({"mails_per_minute": -1}, "mails_per_minute must be 0 (no limit) or more."),
    ],
)
def test_what_a_user_can_mend_is_told_in_a_sentence_and_nothing_is_sent(
    desk: Desk, mails: MailServer, parameters: dict[str, object], words: str
) -> None:
    desk.know([ANNA])
    with pytest.raises(TaskFailure) as caught:
        desk.send(**parameters)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert mails.messages == []
    assert rows(desk.database_url, "SELECT * FROM crm7.s_shipment") == []


def test_another_users_account_cannot_be_used(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA])
    change(desk.database_url, "UPDATE crm7.email_account SET associate_id = 1")
    with pytest.raises(TaskFailure, match="You have no mail account"):
        desk.send()
    with pytest.raises(TaskFailure, match="no mail account 1 that you may send with"):
        desk.send(email_account_id=1)
    change(desk.database_url, "UPDATE crm7.email_account SET associate_id = 0")
    assert desk.send(email_account_id=1) == Succeeded(response="Sent 1 of 1")


def test_a_password_that_cannot_be_opened_is_told(desk: Desk) -> None:
    desk.know([ANNA], username="kari")
    change(desk.database_url, "UPDATE crm7.service_auth SET password = 'never sealed'")
    with pytest.raises(TaskFailure, match=r"password of the mail account kari@sender.example cannot be read"):
        desk.send()


def test_a_server_that_is_gone_is_tried_again_in_a_later_attempt(desk: Desk) -> None:
    desk.know([ANNA])
    change(desk.database_url, "UPDATE crm7.service_auth SET port = 1")
    with pytest.raises(MailServerAway, match="cannot be reached"):
        desk.send()
    assert rows(desk.database_url, "SELECT * FROM crm7.s_shipment") == []


def test_a_server_that_wants_none_of_the_mails_ends_the_mailing(desk: Desk, mails: MailServer) -> None:
    desk.know([Person(first=f"P{number}", last="Test") for number in range(15)])
    mails.refused_mails = "554 5.7.1 this is spam"
    with pytest.raises(TaskFailure, match=r"refuses the mails, whoever gets them \(554 5.7.1 this is spam\)"):
        desk.send()
    [shipment] = rows(desk.database_url, "SELECT * FROM crm7.s_shipment")
    assert (shipment["status"], shipment["hardbounce_num"]) == (5, 10)


def test_mails_keep_their_rate_from_one_attempt_to_the_next(desk: Desk, mails: MailServer) -> None:
    arrived: list[float] = []
    mails.accepted = lambda _: arrived.append(time.monotonic())
    desk.know([Person(first=f"P{number}", last="Test") for number in range(5)])
    desk.context.killed_after = 8  # safe points: choosing takes five
    with pytest.raises(Killed):
        desk.send(mails_per_minute=120)
    before = len(arrived)
    assert 0 < before < 5
    desk.context.next_attempt()
    assert desk.send(mails_per_minute=120) == Succeeded(response="Sent 5 of 5")
    assert min(later - earlier for earlier, later in pairwise(arrived)) > 0.45


def test_a_wish_to_stop_is_seen_between_two_mails(desk: Desk, mails: MailServer) -> None:
    desk.know([Person(first=f"P{number}", last="Test") for number in range(5)])
    desk.context.cancel_after = 7
    assert desk.send() == Cancelled(response="Sent 2 of 5; 3 not yet sent")
    assert len(mails.messages) == 2
    [shipment] = rows(desk.database_url, "SELECT * FROM crm7.s_shipment")
    assert (shipment["status"], shipment["sent_num"]) == (2, 2)


def test_a_wish_to_stop_while_recipients_are_chosen_leaves_nothing(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA] * 3)
    desk.context.cancel_after = 1
    with pytest.raises(CancelledByRequest):
        desk.send()
    assert rows(desk.database_url, "SELECT * FROM crm7.s_shipment") == []


def test_when_time_is_short_the_rest_is_left_to_another_attempt(desk: Desk, mails: MailServer) -> None:
    desk.know([ANNA])
    desk.context.short_after = 0
    assert desk.send() == Snoozed(seconds=1, reason="Sent 0 of 1; 1 not yet sent; goes on")
    desk.context.short_after = None
    assert desk.send() == Succeeded(response="Sent 1 of 1")
