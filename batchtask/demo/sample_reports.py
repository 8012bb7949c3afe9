"""Standard reports, one of each kind, a user's favourite, and two label sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchtask import crm7
from batchtask.demo.sample_rows import Row, SampleRows

_LIST, _LABEL, _GROUP, _CROSS = 1, 2, 3, 4
_SUBJECTS = {"contact": 2, "person": 2, "project": 3, "sale": 4, "appointment": 5, "document": 5, "selection": 6}
_A4_WIDTH, _A4_HEIGHT, _MARGIN = 11_906, 16_838, 850
#: The sheet of 2 × 7 labels of 99.1 × 38.1 mm: 4.65 mm at the sides, 15.15 mm above and below.
_AVERY_SIDE, _AVERY_TOP = 264, 859
_SUM, _AVERAGE, _COUNT = 0, 1, 2
_RIGHT = 1


@dataclass(frozen=True)
class _Column:
    """A field on a report: its name, heading, width in twips, and function in the footers."""

    field: str
    heading: str
    width: int
    total: int | None = None
    mask: str = ""


_COMPANIES = (
    _Column("name", "Company", 3600),
    _Column("code", "Code", 1000),
    _Column("category", "Category", 1400),
    _Column("postAddress/zip", "Postcode", 1200),
    _Column("postAddress/city", "City", 1800),
    _Column("country", "", 1900),
    _Column("phone", "", 1900),
    _Column("ourContact", "", 2000),
)
_PERSONS = (
    _Column("lastName", "", 2200),
    _Column("firstName", "", 1800),
    _Column("position", "", 2200),
    _Column("phone", "", 1900),
    _Column("email", "", 2800),
)
_PIPELINE = (
    _Column("date", "", 1300),
    _Column("heading", "", 2800),
    _Column("contact/name", "", 2800),
    _Column("probability", "%", 700, _AVERAGE),
    _Column("amount", "", 1500, _SUM, "#,##0.00"),
    _Column("weightedAmount", "Weighted", 1500, _SUM, "#,##0"),
)
_PROJECTS = (
    _Column("number", "", 900),
    _Column("name", "", 4200),
    _Column("type", "", 1300),
    _Column("status", "", 1300),
    _Column("associateId", "", 2000),
    _Column("endDate", "", 1300),
    _Column("completed", "", 900),
)
_ACTIVITIES = (
    _Column("startTime", "", 1700),
    _Column("type", "", 1600),
    _Column("contact/name", "", 2600),
    _Column("person/fullName", "Person", 2000),
    _Column("text", "", 3600),
    _Column("completed", "Done", 800),
)


def add_reports(rows: SampleRows, owner: int, selection_id: int) -> None:
    """Add the reports; `owner` gets the favourite, the labels are those of the selection."""
    _Reports(rows, owner).fill(selection_id)


class _Reports:
    def __init__(self, rows: SampleRows, owner: int) -> None:
        self._rows = rows
        self._owner = owner
        self._operators: dict[str, int] = {}

    def fill(self, selection_id: int) -> None:
        sheet = self._sheet("Avery L7163 (2 × 7)", columns=2, rows=7, side=_AVERY_SIDE, top=_AVERY_TOP)
        self._sheet("3 × 8, without margins", columns=3, rows=8)
        companies = self._list("Company list", "contact", _COMPANIES, order="name", landscape=True)
        self._list("Persons by company", "person", _PERSONS, groups=["contact/name"], order="lastName, firstName")
        pipeline = self._list(
            "Sales pipeline by owner", "sale", _PIPELINE, groups=["owner"], order="date, amount desc"
        )
        self._criterion(pipeline, "saleStatus", "oneOf", "1", locked=True)
        self._cross("Sales by owner and month", "sale", row="owner", column="date:month", data="amount")
        projects = self._list("Project list", "project", _PROJECTS, order="number")
        self._criterion(projects, "completed", "set", "0")
        activities = self._list("Activities of a period", "appointment", _ACTIVITIES, groups=["owner", "date"],
                                order="startTime")  # fmt: skip
        self._criterion(activities, "date", ">=", "2025-05-01", second=("<=", "2025-05-31"))
        labels = self._report("Labels for a selection", "selection", _LABEL, order="contact/name", sheet=sheet)
        self._criterion(labels, "selectionId", "=", str(selection_id))
        favourite = self._publish("My Norwegian customers", companies["sortemplate_id"], associate_id=self._owner)
        self._criterion(favourite, "country", "=", "Norge")
        self._criterion(favourite, "ourContact", "currentAssociate", "")

    def _list(
        self,
        name: str,
        subject: str,
        columns: Sequence[_Column],
        *,
        groups: Sequence[str] = (),
        order: str = "",
        landscape: bool = False,
    ) -> Row:
        published = self._report(name, subject, _GROUP if groups else _LIST, order=order, landscape=landscape)
        template = published["sortemplate_id"]
        self._section(template, "pageheader", columns)
        for level, field in enumerate(groups, 1):
            self._section(template, f"groupheader{level}", (), grouping=field)
            self._section(template, f"groupfooter{level}", columns)
        self._section(template, "detail", columns)
        self._section(template, "reportfooter", columns)
        return published

    def _section(self, template: int, kind: str, columns: Sequence[_Column], *, grouping: str = "") -> None:
        section = self._rows.add(
            crm7.sorsection, sortemplate_id=template, sectiontype=kind, height=300, groupingfield=grouping or None
        )
        left = 0
        for column in columns:
            self._field(section["sorsection_id"], kind, column, left)
            left += column.width

    def _field(self, section: int, kind: str, column: _Column, left: int) -> None:
        is_header, is_footer = kind == "pageheader", kind.endswith(("footer", "footer1", "footer2"))
        if (is_header and not column.heading) or (is_footer and column.total is None):
            return
        self._rows.add(
            crm7.sorfield,
            sorsection_id=section,
            fieldtype="label" if is_header else "field",
            content=column.heading if is_header else column.field,
            setleft=left,
            setwidth=column.width,
            func=column.total if is_footer else -1,
            running=-1,
            grouptype=-1,
            visible=1,
            fontname="Arial",
            fontsize=9,
            alignment=_RIGHT if column.total is not None else 0,
            dataformat=column.mask,
        )

    def _cross(self, name: str, subject: str, *, row: str, column: str, data: str) -> None:
        published = self._report(name, subject, _CROSS, landscape=True)
        section = self._rows.add(
            crm7.sorsection, sortemplate_id=published["sortemplate_id"], sectiontype="detail", height=300
        )
        for kind, field in ((1, column), (2, row), (3, data)):
            self._rows.add(
                crm7.sorfct,
                sorsection_id=section["sorsection_id"],
                fieldtype=kind,
                content=field,
                aggregatefunction=0,
                numberformat="#,##0",
            )
        self._criterion(published, "date", "dateBetween", "2025-01-01", second_value="2025-06-30")

    def _report(
        self, name: str, subject: str, layout: int, *, order: str = "", landscape: bool = False, sheet: int = 0
    ) -> Row:
        template = self._rows.add(
            crm7.sortemplate,
            subject=_SUBJECTS[subject],
            viewname=subject,
            layout=layout,
            orientation=2 if landscape else 1,
            orderby=order or None,
            printwidth=(_A4_HEIGHT if landscape else _A4_WIDTH) - 2 * _MARGIN,
            leftmargin=_MARGIN,
            rightmargin=_MARGIN,
            topmargin=_MARGIN,
            bottommargin=_MARGIN,
            published=1,
        )
        return self._publish(name, template["sortemplate_id"], sheet=sheet)

    def _publish(self, name: str, template: int, *, associate_id: int = 0, sheet: int = 0) -> Row:
        return self._rows.add(
            crm7.sorpublish,
            sortemplate_id=template,
            name=name,
            associate_id=associate_id,
            defaultlabellayout=sheet,
            isbuiltin=int(not associate_id),
        )

    def _criterion(
        self,
        published: Row,
        field: str,
        operator: str,
        value: str,
        *,
        second: tuple[str, str] | None = None,
        second_value: str = "",
        locked: bool = False,
    ) -> None:
        self._rows.add(
            crm7.sorcriteria,
            sorpublish_id=published["sorpublish_id"],
            fieldname=field,
            soroperators_id=self._operator(operator, second[0] if second else None),
            value1=value or None,
            value2=(second[1] if second else second_value) or None,
            useit=1,
            whereorder=len(self._rows.of(crm7.sorcriteria)),
            locked=int(locked),
        )

    def _operator(self, first: str, second: str | None) -> int:
        name = f"{first} {second or ''}".strip()
        if name not in self._operators:
            row = self._rows.add(
                crm7.soroperators, operatortype="string", description=name, operator1=first, operator2=second
            )
            self._operators[name] = row["soroperators_id"]
        return self._operators[name]

    def _sheet(self, name: str, *, columns: int, rows: int, side: int = 0, top: int = 0) -> int:
        width, height = _A4_WIDTH - 2 * side, _A4_HEIGHT - 2 * top
        layout = self._rows.add(
            crm7.sorlabellayout,
            name=name,
            paperwidth=_A4_WIDTH,
            paperheight=_A4_HEIGHT,
            topmargin=top,
            bottommargin=top,
            leftmargin=side,
            rightmargin=side,
            countcolumns=columns,
            countrows=rows,
            orientation=1,
            printwidth=width // columns,
            labelheight=height // rows,
        )
        return int(layout["sorlabellayout_id"])
