"""Reads what a report is: its subject, layout, columns, groups, totals, sorting and criteria.

A column is a `field` of the section `detail`; its heading is the label above it in a header, else the field's own.
A `groupheader1` to 3 names what it groups by; fields with a function in a `groupfooter` or the `reportfooter` are
totals. Texts, lines and images that only decorate are not printed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from batchtask import crm7
from batchtask.definitions import TaskFailure
from worker.tasks.crm.catalogue import find_subject
from worker.tasks.crm.criteria import Criterion
from worker.tasks.crm.rights import Reader
from worker.tasks.crm.subject import Subject
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.report.model import PAPER_HEIGHT, PAPER_WIDTH, TWIPS_PER_INCH, Align

_NOBODY = 0xFFFF_FFFF
_LANDSCAPE = 2
_SUBJECTS = {2: "contact", 3: "project", 4: "sale", 5: "appointment", 6: "selection"}
_ALIGNMENTS = {0: Align.LEFT, 1: Align.RIGHT, 2: Align.CENTER}
_GROUP_LEVELS = 3
_CALENDARS = range(5, 8)
_LEAST_ROOM = 2 * TWIPS_PER_INCH  # a guess: less has no room for a line of text


class Layout(enum.IntEnum):
    """`sortemplate.layout`, as far as it is printed here."""

    LIST = 1
    LABEL = 2
    GROUP = 3
    CROSS = 4


class Total(enum.IntEnum):
    """`sorfield.func`."""

    SUM = 0
    AVERAGE = 1
    COUNT = 2
    LEAST = 3
    MOST = 4


_CROSS_TOTALS = {0: Total.SUM, 1: Total.COUNT, 2: Total.AVERAGE, 3: Total.MOST, 4: Total.LEAST}


@dataclass(frozen=True, kw_only=True)
class ReportColumn:
    """A column as it is defined."""

    name: str  #: of a field; `date:month` rounds a date down
    heading: str = ""  #: "" = the field's own
    width: int = 1
    align: Align | None = None  #: None = as the kind of value asks for
    format: str = ""  #: a mask such as `#0.00`


@dataclass(frozen=True, kw_only=True)
class ReportTotal:
    """A function over one column, for each group of a level (1 to 3) or for all (0)."""

    name: str
    total: Total
    level: int


@dataclass(frozen=True, kw_only=True)
class CrossTable:
    """Rows by columns, and what stands where they meet."""

    row: ReportColumn
    column: ReportColumn
    data: ReportColumn
    total: Total


@dataclass(frozen=True, kw_only=True)
class OwnCriterion:
    """A criterion that belongs to the report."""

    criteria: tuple[Criterion, ...]  #: all of one field; all must hold
    locked: bool = False  #: nobody can change it at submission

    @property
    def name(self) -> str:
        return self.criteria[0].name


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The page, in twips."""

    left_margin: int
    right_margin: int
    top_margin: int
    bottom_margin: int
    landscape: bool

    @property
    def has_room(self) -> bool:
        """Say whether the margins leave enough of the paper to print on."""
        sides = (PAPER_WIDTH, PAPER_HEIGHT)
        width, height = (max(sides), min(sides)) if self.landscape else sides
        room = (width - self.left_margin - self.right_margin, height - self.top_margin - self.bottom_margin)
        return min(room) >= _LEAST_ROOM


@dataclass(frozen=True, kw_only=True)
class ReportDefinition:
    """A report, read from its rows."""

    name: str
    subject: Subject
    layout: Layout
    columns: Sequence[ReportColumn]
    groups: Sequence[str]
    totals: Sequence[ReportTotal]
    order: Sequence[tuple[str, bool]]  #: field and whether it falls
    criteria: Sequence[OwnCriterion]
    geometry: Geometry
    cross: CrossTable | None
    label_layout_id: int


def load_report(connection: Connection, report_id: int, reader: Reader) -> ReportDefinition:
    """Read a report that this user may see.

    Raises:
        TaskFailure: There is none, it is not for this user, or its rows do not make a report.
    """
    published = _row(connection, crm7.sorpublish, report_id)
    if published is None:
        raise TaskFailure(f"There is no report {report_id}: it may have been deleted.")
    template = _row(connection, crm7.sortemplate, published.sortemplate_id)
    if template is None:
        raise TaskFailure(f"The report {published.name!r} has no template: create it anew.")
    _require_visible(connection, published, template, reader)
    sections = connection.execute(_of(crm7.sorsection, "sortemplate_id", template.sortemplate_id)).all()
    fields = _fields(connection, sections)
    layout = _layout(published.name, template)
    return ReportDefinition(
        name=published.name.strip() or f"Report {report_id}",
        subject=_subject(published.name, template),
        layout=layout,
        columns=_columns(fields, _headings(fields)),
        groups=_groups(sections) if layout is not Layout.LIST else (),
        totals=list(_totals(fields)),
        order=_order(template.orderby or ""),
        criteria=_criteria(connection, report_id),
        geometry=_geometry(template),
        cross=_cross(connection, published.name, sections) if layout is Layout.CROSS else None,
        label_layout_id=published.defaultlabellayout,
    )


def _row(connection: Connection, table: Table, row_id: int) -> Any:
    return connection.execute(select(table).where(next(iter(table.primary_key.columns)) == row_id)).first()


def _of(table: Table, column: str, value: int) -> Any:
    return select(table).where(table.c[column] == value).order_by(next(iter(table.primary_key.columns)))


def _require_visible(connection: Connection, published: Any, template: Any, reader: Reader) -> None:
    if reader.unrestricted or published.associate_id == reader.associate_id:
        return
    if published.associate_id == _NOBODY or not template.published:
        raise TaskFailure(f"The report {published.name!r} is not published: an administrator can publish it.")
    if published.associate_id:
        raise TaskFailure(f"The report {published.name!r} is a favourite of somebody else: choose one of your own.")
    link = crm7.sorpublishgrouplink.c
    groups = set(connection.scalars(select(link.usergroupid).where(link.sorpublishid == published.sorpublish_id)))
    if groups and not groups & {reader.group_id, *reader.other_groups}:
        raise TaskFailure(
            f"The report {published.name!r} is not for your user group: an administrator can change that."
        )


def _layout(name: str, template: Any) -> Layout:
    try:
        return Layout(template.layout)
    except ValueError:
        kind = "is a calendar" if template.layout in _CALENDARS else f"has the unknown layout {template.layout}"
        raise TaskFailure(
            f"The report {name!r} {kind}, which is not printed here: choose a list, labels or a cross table."
        ) from None


def _subject(name: str, template: Any) -> Subject:
    """The view says it, if it is called like a subject: persons and documents have no number of their own."""
    if template.viewname.strip().lower() in SUBJECTS:
        return SUBJECTS[template.viewname.strip().lower()]
    if template.subject not in _SUBJECTS:
        raise TaskFailure(f"The report {name!r} is about something unknown ({template.subject}): create it anew.")
    return find_subject(_SUBJECTS[template.subject])


def _fields(connection: Connection, sections: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the visible fields by kind of section, from left to right."""
    field = crm7.sorfield.c
    found: dict[str, list[Any]] = {}
    for section in sections:
        rows = select(crm7.sorfield).where(field.sorsection_id == section.sorsection_id, field.visible != 0)
        in_order = rows.order_by(field.setleft, field.sorfield_id)
        found.setdefault(section.sectiontype.lower(), []).extend(connection.execute(in_order).all())
    return found


def _headings(fields: Mapping[str, Sequence[Any]]) -> dict[int, str]:
    """Return the labels of all headers by their left edge; the page's header beats the others."""
    headers = [f"groupheader{level}" for level in range(1, _GROUP_LEVELS + 1)]
    labels = (row for kind in (*headers, "reportheader", "pageheader") for row in fields.get(kind, ()))
    return {row.setleft: row.content.strip() for row in labels if row.fieldtype == "label" and row.content}


def _columns(fields: Mapping[str, Sequence[Any]], headings: Mapping[int, str]) -> list[ReportColumn]:
    return [
        ReportColumn(
            name=row.content,
            heading=headings.get(row.setleft, ""),
            width=max(row.setwidth, 1),
            align=_ALIGNMENTS.get(row.alignment) if row.alignment else None,
            format=row.dataformat,
        )
        for row in fields.get("detail", ())
        if row.fieldtype == "field" and row.content
    ]


def _groups(sections: Iterable[Any]) -> list[str]:
    headers = {row.sectiontype.lower(): row.groupingfield for row in sections if row.groupingfield}
    names = (headers.get(f"groupheader{level}") for level in range(1, _GROUP_LEVELS + 1))
    return [name for name in names if name]


def _totals(fields: Mapping[str, Sequence[Any]]) -> Iterable[ReportTotal]:
    footers = {"reportfooter": 0, **{f"groupfooter{level}": level for level in range(1, _GROUP_LEVELS + 1)}}
    for kind, level in footers.items():
        for row in fields.get(kind, ()):
            if row.fieldtype == "field" and row.content and row.func in tuple(Total):
                yield ReportTotal(name=row.content, total=Total(row.func), level=level)


def _order(text: str) -> list[tuple[str, bool]]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        found.append((name, direction.strip().lower() == "desc"))
    return found


def _criteria(connection: Connection, report_id: int) -> list[OwnCriterion]:
    own, operator = crm7.sorcriteria.c, crm7.soroperators.c
    rows = (
        select(crm7.sorcriteria, operator.operator1, operator.operator2)
        .outerjoin(crm7.soroperators, operator.soroperators_id == own.soroperators_id)
        .where(own.sorpublish_id == report_id, own.useit != 0)
        .order_by(own.whereorder, own.sorcriteria_id)
    )
    return [_own_criterion(row) for row in connection.execute(rows)]


def _own_criterion(row: Any) -> OwnCriterion:
    """Two operators stand for a range: `>=` with the first value and `<=` with the second."""
    values = [value for value in (row.value1, row.value2) if value]
    first = row.operator1 or "="
    if row.operator2 and len(values) == 2:
        pairs = [(first, values[:1]), (row.operator2, values[1:])]
    else:
        several = [part.strip() for part in values[0].split(";")] if len(values) == 1 else values
        pairs = [(first, several)]
    criteria = tuple(
        Criterion(name=row.fieldname, operator=operator, values=tuple(given)) for operator, given in pairs
    )
    return OwnCriterion(criteria=criteria, locked=bool(row.locked))


def _geometry(template: Any) -> Geometry:
    return Geometry(
        left_margin=template.leftmargin,
        right_margin=template.rightmargin,
        top_margin=template.topmargin,
        bottom_margin=template.bottommargin,
        landscape=template.orientation == _LANDSCAPE,
    )


def _cross(connection: Connection, name: str, sections: Sequence[Any]) -> CrossTable:
    part = crm7.sorfct.c
    ids = [row.sorsection_id for row in sections]
    rows = connection.execute(select(crm7.sorfct).where(part.sorsection_id.in_(ids)).order_by(part.sorfct_id)).all()
    by_type = {row.fieldtype: row for row in reversed(rows) if row.content}
    if not {1, 2, 3} <= by_type.keys():
        raise TaskFailure(f"The cross table {name!r} needs a column, a row and data: edit the report.")
    column, row, data = (by_type[kind] for kind in (1, 2, 3))
    return CrossTable(
        row=_cross_column(row),
        column=_cross_column(column),
        data=_cross_column(data),
        total=_CROSS_TOTALS.get(data.aggregatefunction, Total.SUM),
    )


def _cross_column(row: Any) -> ReportColumn:
    return ReportColumn(name=row.content, heading=row.caption or "", format=row.numberformat or "")
