"""The sample CRM's lists: countries with their address layouts, positions, businesses, categories."""

from __future__ import annotations

from batchtask import crm7
from batchtask.demo.names import LOCALES
from batchtask.demo.sample_rows import SampleRows

_WHO = r"ndep[\n]atmr[ ]attn|x|[\n]"

#: Label texts by layout id: to an address in the same country, and to one abroad.
_LABELS = {
    1: (r"addr[\n]pad2[\n]pad3[\n]zipc[ ]city", r"addr[\n]pad2[\n]pad3[\n]cozi[ ]city[\n]cicn"),
    2: (r"addr[\n]pad2[\n]city[\n]cnty[\n]zipc", r"addr[\n]pad2[\n]city[\n]cnty[\n]zipc[\n]cicn"),
    3: (r"addr[\n]pad2[\n]city", r"addr[\n]pad2[\n]city[\n]cicn"),
    4: (r"zipc[\n]city[\n]addr[\n]pad2", r"addr[\n]pad2[\n]city[ ]zipc[\n]cicn"),
    5: (r"addr[\n]pad2[\n]cszc", r"addr[\n]pad2[\n]cszc[\n]cicn"),
}
_LAYOUT_NAMES = {1: "Nordic and continental", 2: "British", 3: "Town only", 4: "Chinese", 5: "American"}
_ABROAD = 100  # added to a layout's id for letters from another country

_POSITIONS = ("Managing director", "Head of purchasing", "Editor", "Accountant", "Assistant")
_BUSINESSES = ("Books", "Trade", "Industry", "Services", "Public sector")
_CATEGORIES = ("Customer", "Prospect", "Partner", "Supplier")


def add_lists(rows: SampleRows) -> dict[str, int]:
    """Add every list and return the country ids by two-letter code."""
    for layout, (domestic, foreign) in _LABELS.items():
        _add_format(rows, layout, _LAYOUT_NAMES[layout], domestic)
        _add_format(rows, layout + _ABROAD, f"{_LAYOUT_NAMES[layout]}, from abroad", foreign)
    for rank, name in enumerate(_POSITIONS, 1):
        rows.add(crm7.perspos, name=name, rank=rank)
    for rank, name in enumerate(_BUSINESSES, 1):
        rows.add(crm7.business, name=name, rank=rank)
    for rank, name in enumerate(_CATEGORIES, 1):
        rows.add(crm7.category, name=name, rank=rank)
    return _add_countries(rows)


def _add_format(rows: SampleRows, layout: int, name: str, label: str) -> None:
    for address_type in (1, 2):
        rows.add(
            crm7.addressformat,
            name=name,
            layout_id=layout,
            atype_idx=address_type,
            labellayout=_WHO + label,
            isbuiltin=1,
        )


def _add_countries(rows: SampleRows) -> dict[str, int]:
    return {
        locale.code: rows.add(
            crm7.country,
            name=locale.country,
            english_name=locale.english,
            zip_prefix=locale.zip_prefix,
            addresslayout=locale.layout,
            addresslayoutdomestic=locale.layout,
            addresslayoutforeign=locale.layout + _ABROAD,
            domainname=locale.code.lower(),
            abbrev2=locale.code,
            dialinprefix=locale.dial,
            rank=rank,
        )["country_id"]
        for rank, locale in enumerate(LOCALES, 1)
    }
