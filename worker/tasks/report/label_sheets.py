"""Sheets of labels as the CRM keeps them: how many labels there are, and where they begin."""

from __future__ import annotations

from sqlalchemy import Connection, select

from batchtask import crm7
from batchtask.definitions import TaskFailure
from worker.tasks.report.model import LabelSheet

_LANDSCAPE = 2
_NARROWEST, _LOWEST = 400, 200  # twips; a guess: less has no room for a letter between what is kept free


def load_sheet(connection: Connection, layout_id: int) -> LabelSheet:
    """Read a sheet's geometry.

    Raises:
        TaskFailure: There is no such layout, or no label fits on it.
    """
    table = crm7.sorlabellayout.c
    row = connection.execute(select(crm7.sorlabellayout).where(table.sorlabellayout_id == layout_id)).first()
    if row is None:
        raise TaskFailure(f"There is no label layout {layout_id}: choose one with label_layout_id.")
    sheet = LabelSheet(
        paper_width=row.paperwidth,
        paper_height=row.paperheight,
        left_margin=row.leftmargin,
        right_margin=row.rightmargin,
        top_margin=row.topmargin,
        bottom_margin=row.bottommargin,
        columns=row.countcolumns,
        rows=row.countrows,
        landscape=row.orientation == _LANDSCAPE,
        title=row.name,
    )
    if not _has_room(sheet):
        raise TaskFailure(f"No label fits on the layout {row.name!r}: correct its margins, columns and rows.")
    return sheet


def _has_room(sheet: LabelSheet) -> bool:
    if min(sheet.columns, sheet.rows) < 1:
        return False
    sides = (sheet.paper_width, sheet.paper_height)
    width, height = (max(sides), min(sides)) if sheet.landscape else sides
    label_width = (width - sheet.left_margin - sheet.right_margin) / sheet.columns
    label_height = (height - sheet.top_margin - sheet.bottom_margin) / sheet.rows
    return label_width >= _NARROWEST and label_height >= _LOWEST
