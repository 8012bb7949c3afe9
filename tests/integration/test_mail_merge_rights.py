"""A mail merge reads with the rights of the user who submitted it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.testing import FakeContext
from tests.crm_support import add_user, crm_rows
from tests.letters_support import letters_of
from tests.mail_merge_support import paragraph

ANN, BOB = 1, 2
OPEN, CLOSED = 1, 2  #: companies of ANN and BOB
OWN = 0  # relation to the owner
CONTACT, PERSON, SALE, SELECTION = 5, 6, 13, 23


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> FakeContext:
    """ANN's role reads only what is her own; whatever else there is belongs to BOB."""
    with crm_rows(database_url) as add:
        role = add(crm7.role, name="Own")
        for table in (CONTACT, PERSON, SALE, SELECTION):
            add(crm7.dataright, roleid=role, tableid=table, relationtoowner=OWN, crud="R")
        for name, group in (("ANN", 1), ("BOB", 2)):
            add(crm7.userrolelink, associate_id=add_user(add, name, group), role_id=role)
        for name, owner in (("Open", ANN), ("Closed", BOB)):
            company = add(crm7.contact, name=name, associate_id=owner)
            add(crm7.address, owner_id=company, atype_idx=1, address1=f"{name} street")
        add(crm7.sale, associate_id=BOB, heading="Secret")
        for owner in (ANN, BOB):
            selection = add(crm7.selection, name="Everybody", associate_id=owner)
            for company in (OPEN, CLOSED):
                add(crm7.selectionmember, selection_id=selection, contact_id=company)
    return FakeContext(database_url=database_url, folder=tmp_path, archive_dir=tmp_path, owner=ANN)


def test_whom_the_user_may_not_read_gets_no_letter_and_is_not_named(
    context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        letters = letters_of(context, paragraph("{name}, {addr}: {mbrs}"), selection_id=1)
    assert letters == ["Open, Open street: Open"]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["left out: recipient (company 2, person 0): not yours to read"]


def test_the_system_writes_to_everybody(context: FakeContext) -> None:
    context.owner = 0
    assert letters_of(context, paragraph("{name}"), selection_id=2) == ["Closed", "Open"]


def test_a_company_stands_for_the_first_person_that_the_user_may_read(context: FakeContext) -> None:
    with crm_rows(context.database_url) as add:
        for name, owner, home in (("Boss", BOB, 1), ("Clerk", ANN, 0)):
            person = add(crm7.person, lastname=name, contact_id=OPEN, associate_id=owner, usepersonaddress=home)
            add(crm7.address, owner_id=person, atype_idx=16387, address1=f"{name}'s home")
    assert letters_of(context, paragraph("{attn}, {addr}"), contact_ids=(OPEN,)) == ["Clerk, Open street"]
    # Nor does a letter to the company itself go to a home that the user may not know.
    to_company = letters_of(context, paragraph("{name}, {addr}"), contact_ids=(OPEN,), include_person="none")
    assert to_company == ["Open, Open street"]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"selection_id": 2}, "There is no selection 2 that you may read"),
        ({"contact_ids": (OPEN,), "sale_id": 1}, "There is no sale 1 that you may read"),
        ({"contact_ids": (OPEN,), "sender_id": BOB}, "There is no user 2 that you may read"),
        ({"contact_ids": (CLOSED,)}, "Nobody is left to write to: 1 not yours to read of 1"),
    ],
)
def test_what_the_user_may_not_read_is_refused(
    context: FakeContext, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        letters_of(context, paragraph("{name}"), **parameters)
