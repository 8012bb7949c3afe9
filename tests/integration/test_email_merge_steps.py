"""A process that dies between any two steps: nobody gets two mails, nobody is forgotten, and each row is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from batchtask.outcomes import Succeeded
from batchtask.testing import Killed
from tests.email_merge_support import Desk, Person
from tests.mail_server import MailServer as Server
from worker.tasks.mail_merge.by_email.ledger import Ledger
from worker.tasks.mail_merge.by_email.preparation import Preparation
from worker.tasks.mail_merge.by_email.server import MailServer

SENT, IN_DOUBT = 4, 0
FOUR = [Person(first=name, last="Test") for name in ("Anna", "Bo", "Carl", "Dag")]
#: What an attempt does, in order; the last four for each mail.
STEPS: list[tuple[type, str]] = [
    (Preparation, "find_or_begin"),
    (Ledger, "take_over"),
    (Ledger, "take"),
    (MailServer, "offer"),
    (Ledger, "intend"),
    (MailServer, "finish"),
    (Ledger, "sent"),
]
#: From where on the server may have the mail and the row does not say so.
DOUBTFUL = {("intend", "behind"), ("finish", "before"), ("finish", "behind"), ("sent", "before")}


def die(monkeypatch: pytest.MonkeyPatch, step: tuple[type, str], moment: str, call: int) -> None:
    """Let the process die before or behind the `call`th time of a step."""
    kind, name = step
    done: Callable[..., Any] = getattr(kind, name)
    calls = 0

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and moment == "before":
            raise Killed
        result = done(*arguments, **named)
        if calls == call and moment == "behind":
            raise Killed
        return result

    monkeypatch.setattr(kind, name, dying)


@pytest.mark.parametrize("moment", ["before", "behind"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_whatever_step_the_process_dies_at_nobody_gets_two_mails_and_nobody_is_forgotten(
    desk: Desk, mails: Server, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str], moment: str
) -> None:
    desk.know(FOUR)
    per_mail = step[1] in {"offer", "intend", "finish", "sent"}
    with monkeypatch.context() as patch:
        die(patch, step, moment, call=2 if per_mail else 1)
        with pytest.raises(Killed):
            desk.send()
    desk.context.next_attempt()
    outcome = desk.send()
    in_doubt = (step[1], moment) in DOUBTFUL
    assert outcome == Succeeded(response="Sent 3 of 4; 1 in doubt" if in_doubt else "Sent 4 of 4")
    got = Counter(mails.recipients)
    assert max(got.values()) == 1
    states = desk.states()
    assert states == dict.fromkeys(states, SENT) | ({"bo": IN_DOUBT} if in_doubt else {})
    assert {f"{name}@example.test" for name, state in states.items() if state == SENT} <= set(got)
    assert len(states) == 4
