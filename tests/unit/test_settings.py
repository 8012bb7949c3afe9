from __future__ import annotations

import base64
from pathlib import Path

import pytest

from batchtask.errors import SettingsError
from batchtask.settings import Settings

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


def test_without_any_variable_every_setting_has_its_default() -> None:
    assert Settings.read({}) == Settings()


def test_variables_are_read_into_the_types_of_their_fields() -> None:
    settings = Settings.read(
        {
            "BATCHTASK_AMQP_URL": "amqps://broker/crm",
            "BATCHTASK_FILES_DIR": "/srv/files",
            "BATCHTASK_MAX_TASKS": "4",
            "BATCHTASK_SUBMIT_SECONDS": "2.5",
            "PATH": "/bin",
        }
    )
    assert settings.amqp_url == "amqps://broker/crm"
    assert (settings.files_dir, settings.max_tasks, settings.submit_seconds) == (Path("/srv/files"), 4, 2.5)


def test_an_override_wins_over_a_variable_and_none_is_no_override() -> None:
    environ = {"BATCHTASK_MAX_TASKS": "4", "BATCHTASK_DATABASE_TAG": "north"}
    settings = Settings.read(environ, max_tasks=8, database_tag=None)
    assert (settings.max_tasks, settings.database_tag) == (8, "north")


def test_all_problems_are_told_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(
            {
                "BATCHTASK_MAX_TASK": "4",
                "BATCHTASK_MAX_TASKS": "many",
                "BATCHTASK_SUBMIT_SECONDS": "0",
                "BATCHTASK_LOG_LEVEL": "loud",
            }
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "BATCHTASK_MAX_TASK is no setting; did you mean BATCHTASK_MAX_TASKS?" in text
    assert "BATCHTASK_MAX_TASKS must be a number, not 'many'" in text
    assert "BATCHTASK_SUBMIT_SECONDS must be more than 0" in text
    assert "BATCHTASK_LOG_LEVEL" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TASKS", "0"),
        ("MAX_TASKS", "1001"),
        ("TASK_TIMEOUT", "0"),
        ("TASK_TIMEOUT", "-2"),
        ("TASK_TIMEOUT", "nan"),
        ("TASK_TIMEOUT", "inf"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("HEARTBEAT_SECONDS", "0"),
        ("LEASE_SECONDS", "120"),
        ("LEASE_SECONDS", "nan"),
        ("CONSUMER_TIMEOUT", "-1"),
        ("MANAGEMENT_URL", "amqp://broker:15672"),
        ("CPU_THRESHOLD", "0"),
        ("CPU_THRESHOLD", "101"),
        ("MEMORY_LIMIT_MB", "-1"),
        ("CHILD_TASKS", "-1"),
        ("CHILD_MEMORY_MB", "-1"),
        ("RECONCILE_SECONDS", "0"),
        ("SUBMIT_SECONDS", "nan"),
        ("WEB_ORIGINS", "crm.example.com"),
        ("WEB_ORIGINS", "https://crm.example.com/"),
        ("WEB_ORIGINS", "https://*.example.com"),
        ("WEB_ORIGINS", "https://a.example.com,https://b.example.com"),
        ("WEB_ORIGINS", "null"),
        ("WEB_PROXIES", "proxy.example.com"),
        ("WEB_PROXIES", "10.0.0.1/8"),
        ("WEB_PROXIES", "*"),
        ("WEB_BASIC", "perhaps"),
        ("WEB_BASIC", ""),
        ("SESSION_HOURS", "0"),
        ("SESSION_HOURS", "nan"),
        ("SESSION_HOURS", "9000"),
        ("SECRET_KEYS", "change-me"),
        ("SECRET_KEYS", "æøå"),
        ("SECRET_KEYS", f"{KEY},{KEY[:-4]}"),
        ("JWT_ISSUER", "https://login.example.com"),
        ("JWT_AUDIENCE", "batchtask"),
        ("JWT_KEYS", "/srv/keys.pem"),
        ("AMQP_URL", "http://broker"),
        ("DATABASE_URL", "mysql://database"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"BATCHTASK_{name}"):
        Settings.read({f"BATCHTASK_{name}": value})


@pytest.mark.parametrize(("text", "on"), [("on", True), ("TRUE", True), ("1", True), ("off", False), ("no", False)])
def test_a_switch_is_on_or_off(text: str, on: bool) -> None:
    assert Settings.read({"BATCHTASK_WEB_BASIC": text}).web_basic is on


def test_origins_proxies_and_a_provider_are_taken_as_they_are_written() -> None:
    Settings.read(
        {
            "BATCHTASK_WEB_ORIGINS": "* https://crm.example.com http://localhost:8080 http://[::1]:8080",
            "BATCHTASK_WEB_PROXIES": "10.0.0.0/8 192.0.2.7 ::1",
            "BATCHTASK_JWT_ISSUER": "https://login.example.com/realms/crm",
            "BATCHTASK_JWT_AUDIENCE": "batchtask",
        }
    )


def test_keys_are_taken_as_the_command_makes_them_and_never_shown() -> None:
    assert Settings.read({"BATCHTASK_SECRET_KEYS": f" {KEY} , {KEY},"}).secret_keys
    with pytest.raises(SettingsError) as refused:
        Settings.read({"BATCHTASK_SECRET_KEYS": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_an_issuer_that_is_no_url_needs_to_be_told_where_the_keys_are() -> None:
    named = {"BATCHTASK_JWT_ISSUER": "our-own", "BATCHTASK_JWT_AUDIENCE": "batchtask"}
    with pytest.raises(SettingsError, match="or BATCHTASK_JWT_KEYS must be set"):
        Settings.read(named)
    assert Settings.read(named | {"BATCHTASK_JWT_KEYS": "/srv/keys.pem"}).jwt_issuer == "our-own"


def test_a_lease_outlasts_two_heartbeats_whatever_both_are_set_to() -> None:
    settings = Settings.read({"BATCHTASK_HEARTBEAT_SECONDS": "0.2", "BATCHTASK_LEASE_SECONDS": "1"})
    assert (settings.heartbeat_seconds, settings.lease_seconds) == (0.2, 1)
    with pytest.raises(SettingsError, match="BATCHTASK_LEASE_SECONDS must be more than two"):
        Settings.read({"BATCHTASK_HEARTBEAT_SECONDS": "90"})


def test_passwords_are_not_shown() -> None:
    settings = Settings(
        amqp_url="amqp://user:secret@broker/",
        database_url="postgresql://user:secret@database/",
        management_url="http://user:secret@broker:15672",
    )
    assert "secret" not in repr(settings)


def test_a_database_is_required_only_where_one_is_used() -> None:
    with pytest.raises(SettingsError, match="BATCHTASK_DATABASE_URL"):
        Settings().require_database()
    assert Settings(database_url="postgresql://database/crm").require_database() == "postgresql://database/crm"
