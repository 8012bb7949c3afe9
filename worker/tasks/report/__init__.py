"""Reports: lists, grouped lists, cross tables and labels over the CRM's records, as PDF or text.

Here are only the definition and its parameters, because the web tier loads them to check a submission. The work is
told in `run`; `definition` reads what a report is, `model` stands between its data and its looks.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Outcome
from batchtask.retrying import RetryPolicy
from worker.tasks.crm.record_ids import RecordId


class Restriction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One criterion given at submission, as an archive restriction of the CRM."""

    name: str  #: of a field
    operator: str = "="
    values: tuple[str, ...] = ()
    is_active: bool = True  #: off: the report's own criterion on this field is not asked either
    inter_operator: Literal["And", "Or"] = "And"  #: how the next one is joined to this
    inter_parenthesis: int = 0  #: parentheses: so many open before it, or, if negative, close behind it


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which report, of what, in which form."""

    report_id: RecordId  #: a standard report, or a favourite of the user's own
    label_layout_id: RecordId = 0  #: sheet for a label report; 0 = the report's own
    skip_labels: RecordId = 0  #: labels that are gone from the first sheet
    file_name: str = ""  #: of the result; "" = the report's name
    language: str = ""  #: ISO or the CRM's code; "" = the user's
    file_type: Literal["pdf", "txt", "csv"] = "pdf"
    restrictions: tuple[Restriction, ...] = ()  #: take the place of the report's criteria on the same fields


# Nothing is written but the result, so an attempt that dies leaves nothing to go on with: the next one begins anew.
@task(
    "report",
    timeout=1500,
    retry=RetryPolicy(attempts=3, retry_on=(StoreUnavailable,)),
    description="Print a report of the CRM's records, with the rights of the user who asked",
)
def report(context: TaskContext, parameters: Report) -> Outcome:
    """Print a report into one file. A later attempt begins anew; there is never half a file."""
    from worker.tasks.report.run import run  # noqa: PLC0415 - SQLAlchemy and the PDF engine are the worker's own

    return run(context, parameters)
