"""The sample mail: it is fetched whole, and found to be from persons of the sample CRM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from batchtask.demo.sample_crm import load_sample_crm
from batchtask.demo.sample_mail import load_sample_mail, sample_mail_server
from batchtask.local.dovecot import Dovecot
from batchtask.local.rabbitmq import accepts
from batchtask.outcomes import Succeeded
from tests.conftest import ENVIRON
from tests.inbox_support import SEALER, Desk


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    told: list[str] = []
    with sample_mail_server(tmp_path / "mail", ENVIRON, told.append) as server:
        if server is None:
            pytest.skip(told[-1])
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
        engine = create_engine(database_url)
        with engine.begin() as connection:
            load_sample_crm(connection)
            load_sample_mail(connection, server, SEALER)
        engine.dispose()
        yield Desk(database_url, tmp_path)


def test_the_system_fetches_the_mail_of_all_users(desk: Desk) -> None:
    outcome = desk.run(desk.context(owner=0))
    assert outcome == Succeeded(response="2 of 2 mail accounts read: 120 new messages.")
    items = desk.items()
    assert sum(item["person_id"] > 0 for item in items) == len(items)
    assert {"Bestilling av 12 bøker", "طلب عرض أسعار", "关于春季目录的问题"} <= set(desk.subjects())
    assert "Kunder æøå" in {item["folder"] for item in items}
    assert any(item["cal_data"] for item in items)
    assert any(item["has_attachment"] for item in items)


def test_a_mail_server_starts_below_a_path_longer_than_those_of_sockets(mail_server: Dovecot, tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 25)
    with Dovecot(installation=mail_server.installation, directory=deep, passwords={}) as server:
        assert accepts(server.port)


def test_machines_without_a_mail_server_are_told_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("batchtask.local.dovecot.INSTALLED", tmp_path)
    with sample_mail_server(tmp_path, {"PATH": ""}, told.append) as server:
        assert server is None
    assert "LEFT OUT" in told[0]
