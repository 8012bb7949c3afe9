"""Small reports, defined and printed in a test."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchtask import crm7
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from tests.crm_support import Add
from worker.tasks.report import report

LIST, LABEL, GROUP, CROSS = 1, 2, 3, 4
SUM, AVERAGE, COUNT, LEAST, MOST = range(5)
Total = tuple[str, int, int]  #: field, function, level


def add_report(
    add: Add,
    subject: str,
    columns: Sequence[str],
    *,
    groups: Sequence[str] = (),
    totals: Sequence[Total] = (),
    criteria: Sequence[tuple[str, str, str]] = (),
    locked: bool = False,
    order: str = "",
    layout: int | None = None,
    published: int = 1,
    margin: int = 0,
    **values: Any,
) -> int:
    """Define a report and return its number; more values are those of its row in `sorpublish`."""
    kind = layout or (GROUP if groups else LIST)
    template = _add_template(add, subject, kind, order=order, published=published, margin=margin)
    detail = add(crm7.sorsection, sortemplate_id=template, sectiontype="detail")
    for position, column in enumerate(columns):
        _add_field(add, detail, column, position)
    for level, group in enumerate(groups, 1):
        add(crm7.sorsection, sortemplate_id=template, sectiontype=f"groupheader{level}", groupingfield=group)
    for field, function, level in totals:
        kind_of_footer = f"groupfooter{level}" if level else "reportfooter"
        footer = add(crm7.sorsection, sortemplate_id=template, sectiontype=kind_of_footer)
        _add_field(add, footer, field, 0, function)
    number = add(crm7.sorpublish, **{"sortemplate_id": template, "name": f"A {subject}", **values})
    for field, operator, value in criteria:
        add_criterion(add, number, field, operator, value, locked=locked)
    return number


def add_cross_table(add: Add, subject: str, *, row: str, column: str, data: str, function: int = 0) -> int:
    """Define a cross table; functions are 0 sum, 1 count, 2 average, 3 most, 4 least."""
    template = _add_template(add, subject, CROSS)
    number = add(crm7.sorpublish, sortemplate_id=template, name=f"A {subject} table")
    section = add(crm7.sorsection, sortemplate_id=template, sectiontype="detail")
    for kind, content in ((1, column), (2, row), (3, data)):
        add(crm7.sorfct, sorsection_id=section, fieldtype=kind, content=content, aggregatefunction=function)
    return number


def add_criterion(add: Add, report_id: int, field: str, operator: str, value: str, *, locked: bool = False) -> None:
    signs = add(crm7.soroperators, operator1=operator)
    add(
        crm7.sorcriteria,
        sorpublish_id=report_id,
        fieldname=field,
        soroperators_id=signs,
        value1=value or None,
        useit=1,
        locked=int(locked),
    )


def _add_template(
    add: Add, subject: str, layout: int, *, order: str = "", published: int = 1, margin: int = 0
) -> int:
    margins = dict.fromkeys(("leftmargin", "rightmargin", "topmargin", "bottommargin"), margin)
    return add(crm7.sortemplate, viewname=subject, layout=layout, orderby=order, published=published, **margins)


def _add_field(add: Add, section: int, name: str, position: int, function: int = -1) -> None:
    add(
        crm7.sorfield,
        sorsection_id=section,
        fieldtype="field",
        content=name,
        setleft=position * 1000,
        setwidth=1000,
        func=function,
        visible=1,
    )


def print_report(context: FakeContext, report_id: int, **parameters: Any) -> Succeeded:
    outcome = run_task(report, context, **{"report_id": report_id, "file_type": "csv", **parameters})
    assert isinstance(outcome, Succeeded)
    return outcome


def rows_of(context: FakeContext, report_id: int, **parameters: Any) -> list[list[str]]:
    """Print a report as CSV and return all lines below the headings."""
    outcome = print_report(context, report_id, **parameters)
    assert outcome.file_name
    with Path(outcome.file_name).open(newline="", encoding="utf-8-sig") as file:
        lines = file.readlines()
    # Where numbers have a decimal comma, values are parted by semicolons.
    separator = ";" if ";" in "".join(lines[:1]) else ","
    return list(csv.reader(lines, delimiter=separator))[1:]
