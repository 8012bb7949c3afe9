from __future__ import annotations

from pathlib import Path

from batchtask.database import make_engine
from batchtask.demo.sample_crm import load_sample_crm
from tests.status_monitor_support import Crm, Meanwhile, regenerate


def test_the_sample_monitors_all_find_somebody_and_none_is_skipped(database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        sample = load_sample_crm(connection)
    context = Meanwhile(database_url, tmp_path)
    context.owner = sample.associate_id  # an administrator
    response = regenerate(context, what="all")
    matches = Crm(engine).read("SELECT nummatches FROM crm7.statusdef ORDER BY rank")
    engine.dispose()
    assert "Counters of companies, persons and projects regenerated" in response
    assert "6 status monitors regenerated" in response
    assert "skipped" not in response
    assert len(matches) == 6
    assert all(count for (count,) in matches), matches
