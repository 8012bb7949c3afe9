"""When the processors are too busy to start another task."""

from __future__ import annotations

from pathlib import Path

from worker.load import ProcessorLoad


class Machine:
    """Whose `/proc/stat` says what a test wants, ten times a second."""

    def __init__(self, folder: Path, threshold: float) -> None:
        self._stat = folder / "stat"
        self._busy, self._idle, self._now = 1000, 5000, 0.0
        self.load = ProcessorLoad(threshold, stat=self._stat)

    def runs(self, percent: int, *, seconds: float) -> list[bool]:
        """Run with a load for a while, and return what was said each time."""
        return [self._tick(percent) for _ in range(round(seconds * 10))]

    def _tick(self, percent: int) -> bool:
        self._now += 0.1
        self._busy += percent
        self._idle += 100 - percent
        half = self._busy // 2
        self._stat.write_text(f"cpu  {half} 0 {self._busy - half} {self._idle} 0 0 0 0 0 0\ncpu0 1 2 3\n")
        return self.load.look(self._now)


def test_a_load_above_the_threshold_is_too_high_within_a_second_or_two(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 80)

    assert not any(machine.runs(70, seconds=3))
    assert machine.runs(100, seconds=1.5)[-1]


def test_it_stays_too_high_until_the_load_is_clearly_below(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 80)
    machine.runs(95, seconds=2)

    assert all(machine.runs(75, seconds=3))
    assert not machine.runs(60, seconds=1.5)[-1]
    assert not any(machine.runs(75, seconds=3))


def test_a_low_threshold_can_be_met_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 4)
    machine.runs(50, seconds=2)

    assert not machine.runs(1, seconds=2)[-1]


def test_one_short_burst_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 80)
    machine.runs(20, seconds=2)

    assert not any(machine.runs(100, seconds=0.5))
    assert not any(machine.runs(20, seconds=2))


def test_nothing_is_said_before_a_second_has_passed(tmp_path: Path) -> None:
    assert not any(Machine(tmp_path, 10).runs(100, seconds=0.9))


def test_at_a_hundred_per_cent_nobody_looks(tmp_path: Path) -> None:
    load = ProcessorLoad(100, stat=tmp_path / "missing")

    assert not load.look(1.0)
