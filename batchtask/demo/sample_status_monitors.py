"""Status monitors of the sample data, with what they ask; their settings, and the lists that counters split by."""

from __future__ import annotations

from dataclasses import dataclass

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows

_COMPANY, _PERSON, _PROJECT, _MONITOR = 5, 6, 11, 198  # numbers of tables
_NAME_OF_MONITOR = 16
_EVERY_LANGUAGE, _NORWEGIAN, _GERMAN = 0, 1044, 1031

Ask = tuple[str, str, tuple[str, ...]]  #: field, operator, values


@dataclass(frozen=True, kw_only=True)
class _Sample:
    names: dict[int, str]
    owner_table: int
    asks: tuple[Ask, ...]


_SAMPLES = (
    _Sample(
        names={_EVERY_LANGUAGE: "Neglected customer", _NORWEGIAN: "Forsømt kunde", _GERMAN: "Vernachlässigter Kunde"},
        owner_table=_COMPANY,
        asks=(("category", "is", ("Customer",)), ("NumberOfActivitiesInPeriod", "less", ("1",))),
    ),
    _Sample(
        names={_EVERY_LANGUAGE: "Nothing sold for 90 days"},
        owner_table=_COMPANY,
        asks=(
            ("category", "oneOf", ("Customer", "Partner")),
            ("withoutSale/saleStatus", "is", ("Sold",)),
            ("withoutSale/date", "lastDays", ("90",)),
        ),
    ),
    _Sample(
        names={_EVERY_LANGUAGE: "Gold customer, πελάτης χρυσός"},
        owner_table=_COMPANY,
        asks=(("SuperOffice:2", "is", ("Gold",)), ("stop", "is", ("0",))),
    ),
    _Sample(
        names={_EVERY_LANGUAGE: "Company without a postal address"},
        owner_table=_COMPANY,
        asks=(("postAddress/line1", "isNull", ()), ("contactNoMail", "is", ("0",))),
    ),
    _Sample(
        names={_EVERY_LANGUAGE: "Director to be called"},
        owner_table=_PERSON,
        asks=(("title", "is", ("Director",)), ("NumberOfActivities", "is", ("0",)), ("retired", "is", ("0",))),
    ),
    _Sample(
        names={_EVERY_LANGUAGE: "Project without a milestone"},
        owner_table=_PROJECT,
        asks=(("nextMilestoneDate", "isNull", ()), ("completed", "is", ("0",))),
    ),
)


def add_status_monitors(rows: SampleRows) -> int:
    """Add six monitors for companies, persons and projects, and return how many."""
    for rank, sample in enumerate(_SAMPLES, 1):
        add_monitor(rows, sample.names, sample.owner_table, sample.asks, rank=rank)
    for owner_table, periods in {_COMPANY: (30, 90, 365), _PERSON: (90, 180, 365), _PROJECT: (14, 30, 90)}.items():
        named = dict(zip(("period1", "period2", "period3"), periods, strict=True))
        rows.add(crm7.saintconfiguration, ownertable=owner_table, enabled=1, **named)
    for rank, name in enumerate(("Sales", "Marketing", "Service"), 1):
        rows.add(crm7.intent, name=name, rank=rank, deleted=0)
    for rank, (name, least, most) in enumerate((("Small", 0, 9_999), ("Large", 10_000, 1e12)), 1):
        rows.add(crm7.amountclass, name=name, rank=rank, deleted=0, amountfrom=least, amountto=most)
    return len(_SAMPLES)


def add_monitor(
    rows: SampleRows, names: dict[int, str], owner_table: int, asks: tuple[Ask, ...], *, rank: int = 1
) -> int:
    """Add a monitor with its names by language, and what it asks; return its id."""
    definition = rows.add(
        crm7.statusdef, ownertable=owner_table, rank=rank, deleted=0, needsupdate=1, isvisual=1, dirtyonchange=1
    )
    number = int(definition["statusdef_id"])
    for language, name in names.items():
        rows.add(crm7.localetext, languageid=language, typeid=_NAME_OF_MONITOR, resourceid=number, text=name)
    criteria = rows.add(crm7.searchcriteria, ownertable=_MONITOR, ownerid=number)
    group = rows.add(
        crm7.searchcriteriagroup, searchcriteria_id=criteria["searchcriteria_id"], direction=0, rank=1, active=1
    )
    for place, ask in enumerate(asks, 1):
        _add_criterion(rows, group["searchcriteriagroup_id"], place, ask)
    return number


def _add_criterion(rows: SampleRows, group_id: int, place: int, ask: Ask) -> None:
    name, operator, values = ask
    criterion = rows.add(
        crm7.searchcriterion,
        searchcriteriagroup_id=group_id,
        columnname=name,
        operatorname=operator,
        active=1,
        rank=place,
    )
    for order, value in enumerate(values, 1):
        rows.add(
            crm7.searchcriterionvalue,
            searchcriterion_id=criterion["searchcriterion_id"],
            stringvalue=value,
            rank=order,
        )
