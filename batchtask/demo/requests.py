"""What the demonstration submits: each of the CRM's own tasks at least once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchtask.demo.sample_crm import SampleCrm
from producer import TaskRequest


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the tasks find."""

    crm: SampleCrm
    letter: str  #: template of the letters, in the archive
    mail: str  #: template of the mails
    accounts: Sequence[int]  #: mail accounts to read; none where there is no mail server


def requests(stage: Stage) -> list[TaskRequest]:
    """Return them in the order in which they are shown."""
    return [
        TaskRequest(name=name, owner=stage.crm.associate_id, description=text, parameters=dict(parameters))
        for name, text, parameters in _all(stage)
    ]


def _all(stage: Stage) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    yield from _mail_merges(stage)
    yield from _reports(stage.crm)
    if stage.accounts:
        yield "inbox", "New mail of two users", {"accounts": list(stage.accounts)}
    yield "status-monitors", "All status monitors and counters", {"what": "all"}
    yield "publish-udef", "New fields of companies", {"owner": "contact"}
    yield "sleep", "A short nap", {"seconds": 2, "steps": 4}


def _mail_merges(stage: Stage) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    letter = {"template": stage.letter, "heading": "Our spring catalogue", "our_ref": "{auth}/spring"}
    newsletter = {"selection_id": stage.crm.newsletter_selection_id}
    awkward = {"selection_id": stage.crm.awkward_selection_id}
    yield "mail-merge", "Spring letters to 250 companies", {**letter, **newsletter, "file_name": "letters.docx"}
    yield "mail-merge", "The awkward addresses", {**letter, **awkward, "file_name": "awkward.docx"}
    if shutil.which("soffice"):
        yield "mail-merge", "Spring letters as PDF", {
            **letter, **newsletter, "output": "pdf", "file_name": "letters.pdf",
        }  # fmt: skip
    yield "mail-merge", "Labels for the catalogues", {
        **newsletter, "output": "labels", "label_layout_id": stage.crm.label_layout_id, "file_name": "labels.pdf",
    }  # fmt: skip
    yield "mail-merge", "The catalogue by e-mail", {
        **newsletter, "template": stage.mail, "output": "email",
        "subject": "Our spring catalogue for {name}", "mails_per_minute": 0,
    }  # fmt: skip


def _reports(crm: SampleCrm) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name in ("Company list", "Sales pipeline by owner", "Sales by owner and month"):
        file_name = f"{name.lower().replace(' ', '-')}.pdf"
        yield "report", name, {"report_id": crm.reports[name], "file_name": file_name}
