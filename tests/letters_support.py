"""Mail merges of the sample CRM, run in the test's own process."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

from batchtask.demo.sample_crm import SampleCrm, load_sample_crm
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext
from tests.mail_merge_support import Merged, write_template
from worker.tasks.mail_merge import MailMerge, mail_merge


def load_sample(database_url: str) -> SampleCrm:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        found = load_sample_crm(connection)
    engine.dispose()
    return found


def change(context: FakeContext, statement: str, **values: object) -> None:
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def letters_of(context: FakeContext, body: str, **parameters: object) -> list[str]:
    """Merge a one-paragraph template and return one text per letter."""
    template = write_template(context.folder, body)
    outcome = mail_merge.function(context, MailMerge(template=str(template), **parameters))  # type: ignore[arg-type]
    assert isinstance(outcome, Succeeded)
    assert outcome.file_name is not None
    return Merged(Path(outcome.file_name)).paragraphs


def person_of(context: FakeContext, company: str) -> tuple[int, int]:
    engine = create_engine(context.database_url)
    query = (
        "SELECT contact_id, person_id FROM crm7.contact LEFT JOIN crm7.person USING (contact_id) WHERE name = :name"
    )
    with engine.connect() as connection:
        row = connection.execute(text(query), {"name": company}).first()
    engine.dispose()
    assert row is not None
    return row[0], row[1] or 0
