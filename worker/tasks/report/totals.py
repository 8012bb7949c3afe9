"""Sums, averages and counts that grow while lines are printed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from worker.tasks.report.definition import Total


class Accumulator:
    """One function over one column; values that are not there do not count."""

    def __init__(self, total: Total) -> None:
        self.total = total
        self._count = 0
        self._sum = Decimal(0)
        self._most: Any = None

    def add(self, value: Any) -> None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return
        self._count += 1
        match self.total:
            case Total.SUM | Total.AVERAGE:
                # Through its digits: a sum of prices must not end in 0.30000000000000004.
                self._sum += Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
            case Total.LEAST:
                self._most = value if self._most is None else min(self._most, value)
            case Total.MOST:
                self._most = value if self._most is None else max(self._most, value)

    @property
    def result(self) -> Any:
        """The total of what was added; None if that says nothing."""
        match self.total:
            case Total.SUM:
                return self._sum
            case Total.COUNT:
                return self._count
            case Total.AVERAGE:
                return self._sum / self._count if self._count else None
        return self._most


class LevelTotals:
    """The totals of one level: by function, those of all columns that have it."""

    def __init__(self, wanted: Sequence[tuple[int, Total]]) -> None:
        self._wanted = wanted
        self.reset()

    def add(self, values: Sequence[Any]) -> None:
        for column, accumulator in self._accumulators:
            accumulator.add(values[column])

    def by_function(self) -> dict[Total, dict[int, Any]]:
        """Return results by column, for each function in the order in which it was first wanted."""
        found: dict[Total, dict[int, Any]] = {}
        for column, accumulator in self._accumulators:
            found.setdefault(accumulator.total, {})[column] = accumulator.result
        return found

    def reset(self) -> None:
        self._accumulators = [(column, Accumulator(total)) for column, total in self._wanted]
