"""The task in the test's own process: quick, and killed at every line that matters."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert
from world import UNTIL, AddSale, defaults_of

from batchtask import crm7
from batchtask.outcomes import Cancelled, Failed, Succeeded
from batchtask.testing import FakeContext, cancelled_everywhere, killed_everywhere, run_attempt
from batchtask_overdue_sales import overdue_sales, work

Booked = Callable[[], list[int]]


@pytest.fixture
def begin(engine: Engine, tmp_path: Path) -> Callable[[], FakeContext]:
    """Makes a context; nobody has booked anything yet."""

    def begin() -> FakeContext:
        with engine.begin() as connection:
            connection.execute(delete(crm7.appointment))
        url = engine.url.render_as_string(hide_password=False)
        return FakeContext(folder=tmp_path, database_url=url, owner=7)

    return begin


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """What a mail server would have been given."""
    mails: list[EmailMessage] = []
    monkeypatch.setattr(smtplib.SMTP, "connect", lambda *_: (220, b"ready"))
    monkeypatch.setattr(smtplib.SMTP, "quit", lambda _: None)
    monkeypatch.setattr(smtplib.SMTP, "send_message", lambda _, message: mails.append(message))
    return mails


def test_each_open_sale_that_is_late_gets_a_follow_up_and_stands_in_the_list(
    begin: Callable[[], FakeContext], add_sale: AddSale, booked: Booked
) -> None:
    late = [add_sale(), add_sale(heading="Bøker, æ\nog ø")]
    add_sale(status=2)
    add_sale(saledate=datetime(2026, 3, 1))
    context = begin()

    outcome = run_attempt(overdue_sales, context, until=UNTIL)

    assert outcome == Succeeded(
        response="2 follow-ups were booked, 0 sales have one already.",
        file_name=str(context.folder / "overdue-sales.csv"),
    )
    assert booked() == late
    lines = (context.folder / "overdue-sales.csv").read_text("utf-8-sig")
    assert lines.startswith("sale_id,company,heading,amount,sale_date,responsible\n")
    assert '"Bøker, æ\nog ø",,2026-02-19,' in lines
    assert context.reports[-1] == (90, "Writing the list")


def test_a_sale_that_has_a_follow_up_is_left_out_and_the_log_says_so(
    begin: Callable[[], FakeContext], add_sale: AddSale, engine: Engine
) -> None:
    number, context = add_sale(), begin()
    with engine.begin() as connection:
        row = defaults_of(crm7.appointment) | {"appointment_id": 1, "sale_id": number, "status": 1}
        connection.execute(insert(crm7.appointment).values(row))

    outcome = run_attempt(overdue_sales, context, until=UNTIL)

    assert isinstance(outcome, Succeeded)
    assert outcome.response == "0 follow-ups were booked, 1 sales have one already."
    assert context.lines == [(20, f"left out: sale {number}, Books: has a follow-up")]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"until": "soon"}, "until"),
        ({"until": UNTIL, "due_day": 3}, "due_day"),
        ({"until": UNTIL, "due_days": 400}, "due_days"),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    begin: Callable[[], FakeContext], parameters: dict[str, Any], message: str
) -> None:
    outcome = run_attempt(overdue_sales, begin(), **parameters)

    assert isinstance(outcome, Failed)
    assert message in outcome.message
    assert not outcome.detail  # the user can mend it: no traceback


def test_killed_anywhere_it_books_lists_and_mails_once(
    begin: Callable[[], FakeContext],
    add_sale: AddSale,
    booked: Booked,
    mails: list[EmailMessage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "BATCH", 2)
    late = [add_sale() for _ in range(5)]
    expected = "5 follow-ups were booked, 0 sales have one already. The list went to ida@example.com."
    in_doubt = []

    for ending in killed_everywhere(overdue_sales, begin, until=UNTIL, report_to="ida@example.com"):
        assert booked() == late, ending.moment
        assert len(mails) <= 1, ending.moment
        mails.clear()
        if isinstance(ending.outcome, Failed):  # nobody can ask a mail server
            assert "is not known whether" in ending.outcome.message
            in_doubt.append(ending.moment)
        else:
            assert isinstance(ending.outcome, Succeeded), ending.moment
            assert ending.outcome.response == expected, ending.moment

    assert [moment.partition(": ")[2].split()[-1] for moment in in_doubt] == ["intended", "performed"]


def test_cancelled_anywhere_it_keeps_what_it_booked(
    begin: Callable[[], FakeContext], add_sale: AddSale, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "BATCH", 2)
    late = [add_sale() for _ in range(5)]

    whole, *cancelled = cancelled_everywhere(overdue_sales, begin, until=UNTIL)

    assert isinstance(whole.outcome, Succeeded)
    assert [ending.outcome for ending in cancelled] == [Cancelled()] * 4
    assert [(ending.context.checkpoint or {}).get("booked", 0) for ending in cancelled] == [0, 2, 4, 5]
    assert booked() == late


def test_a_mail_server_that_is_away_is_tried_again_and_one_that_refuses_is_not(
    begin: Callable[[], FakeContext], add_sale: AddSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sale()
    context = begin()

    away = run_attempt(overdue_sales, context, until=UNTIL, report_to="ida@example.com", mail_port=1)

    assert isinstance(away, Failed)
    assert away.retry
    assert away.message.startswith("The mail server localhost:1 cannot be reached (")
    assert context.effects == {}  # nothing was sent

    def refuse(*_: object) -> None:
        raise smtplib.SMTPRecipientsRefused({"ida@example.com": (550, b"unknown")})

    monkeypatch.setattr(smtplib.SMTP, "connect", lambda *_: (220, b"ready"))
    monkeypatch.setattr(smtplib.SMTP, "quit", lambda _: None)
    monkeypatch.setattr(smtplib.SMTP, "send_message", refuse)
    context.next_attempt()
    refused = run_attempt(overdue_sales, context, until=UNTIL, report_to="ida@example.com")

    assert isinstance(refused, Failed)
    assert refused.message.startswith("The mail server refused to write to ida@example.com: ")
    assert not refused.retry
