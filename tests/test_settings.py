"""The settings as a whole, under one environment or another."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from fanoutcloud.env import BadSetting

ROOT = Path(__file__).resolve().parent.parent
LoadSettings = Callable[..., Any]


@pytest.fixture
def load_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoadSettings:
    """Run the settings under the given variables and return them."""

    def load(**variables: str) -> SimpleNamespace:
        monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return SimpleNamespace(**runpy.run_path(str(ROOT / "fanoutcloud" / "settings.py")))

    return load


def test_a_fresh_checkout_starts_without_any_variable(load_settings: LoadSettings, tmp_path: Path):
    settings = load_settings()

    assert settings.IS_EMBEDDED
    assert settings.IS_SQLITE
    assert settings.DEBUG is False
    assert settings.PUBLIC_URL == "http://localhost:8000"
    assert settings.EDGE_DOMAIN == "localhost:8000"
    assert settings.DATABASES["default"]["NAME"] == str(tmp_path / "data" / "db.sqlite3")
    assert settings.DATABASES["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings.ALLOWED_HOSTS == ["localhost", "127.0.0.1", "[::1]"]


def test_the_port_is_part_of_the_addresses(load_settings: LoadSettings):
    settings = load_settings(PORT="9123")

    assert settings.PUBLIC_URL == "http://localhost:9123"
    assert settings.EDGE_DOMAIN == "localhost:9123"


def test_generated_secrets_are_kept_and_only_their_owner_reads_them(load_settings: LoadSettings, tmp_path: Path):
    first, second = load_settings(), load_settings()

    assert first.SECRET_KEY == second.SECRET_KEY
    assert first.SEALING_KEYS == second.SEALING_KEYS
    for name in ("secret_key", "sealing_key"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600


def test_secrets_that_are_given_are_used_and_nothing_is_generated(load_settings: LoadSettings, tmp_path: Path):
    keys = [Fernet.generate_key().decode(), Fernet.generate_key().decode()]

    settings = load_settings(SECRET_KEY="x" * 50, SEALING_KEYS=", ".join(keys))

    assert settings.SECRET_KEY == "x" * 50
    assert keys == settings.SEALING_KEYS
    assert not (tmp_path / "data" / "secret_key").exists()
    assert not (tmp_path / "data" / "sealing_key").exists()


def test_https_makes_cookies_secure_and_bound_to_the_host(load_settings: LoadSettings):
    settings = load_settings(PUBLIC_URL="https://fanout.example.com", EDGE_DOMAIN="sites.example.net")

    assert (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME) == ("__Host-sessionid", "__Host-csrftoken")
    assert settings.SESSION_COOKIE_SECURE
    assert settings.CSRF_COOKIE_SECURE
    assert settings.SECURE_HSTS_SECONDS > 0
    assert settings.CSRF_TRUSTED_ORIGINS == ["https://fanout.example.com"]
    assert settings.ALLOWED_HOSTS[0] == "fanout.example.com"
    connect = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"]
    assert "wss://*.sites.example.net" in connect
    assert "https://*.sites.example.net" in connect
    assert not [source for source in connect if source.startswith(("http:", "ws:"))]


def test_a_session_cookie_is_never_for_a_whole_domain(load_settings: LoadSettings):
    settings = load_settings(PUBLIC_URL="https://fanout.example.com")

    assert not hasattr(settings, "SESSION_COOKIE_DOMAIN")
    assert not hasattr(settings, "CSRF_COOKIE_DOMAIN")


def test_passwords_are_hashed_with_argon2(load_settings: LoadSettings):
    assert load_settings().PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


def test_redis_is_used_where_there_is_one(load_settings: LoadSettings):
    settings = load_settings(REDIS_URL="redis://127.0.0.1:6379/1")

    assert not settings.IS_EMBEDDED
    assert settings.CACHES["default"]["BACKEND"].endswith("DegradingRedisCache")


def test_items_can_be_kept_elsewhere_than_the_cache(load_settings: LoadSettings):
    sentinels = "redis+sentinel://one:26379,two/main"

    assert load_settings(REDIS_URL="redis://redis").STREAMS_URL == "redis://redis"
    assert sentinels == load_settings(REDIS_URL="redis://redis", STREAMS_URL=sentinels).STREAMS_URL


def test_a_database_url_is_read_and_given_a_deadline(load_settings: LoadSettings):
    database = load_settings(DATABASE_URL="postgres://me:pw@db.example:5433/fanout").DATABASES["default"]

    assert (database["HOST"], database["PORT"], database["NAME"], database["USER"]) == (
        "db.example",
        5433,
        "fanout",
        "me",
    )
    assert database["OPTIONS"]["connect_timeout"] == 5


def test_mail_goes_to_the_console_unless_a_server_is_named(load_settings: LoadSettings):
    assert "console" in load_settings().EMAIL_DELIVERY_BACKEND
    assert "smtp" in load_settings(EMAIL_HOST="mail.example.com").EMAIL_DELIVERY_BACKEND


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "99999"}, "PORT is '99999'; expected a whole number"),
        ({"PUBLIC_URL": "fanout.example.com"}, "PUBLIC_URL is 'fanout.example.com'; expected an address"),
        ({"PUBLIC_URL": "https://example.com/path"}, "PUBLIC_URL is"),
        ({"ROLE": "boss"}, "ROLE is 'boss'; expected one of all, web, edge, worker, beat"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, "TRUSTED_PROXIES holds 'proxy'"),
        ({"DEBUG": "maybe"}, "DEBUG is 'maybe'"),
        ({"EMAIL_USE_SSL": "yes", "EMAIL_USE_TLS": "yes"}, "EMAIL_USE_SSL and EMAIL_USE_TLS"),
    ],
)
def test_a_variable_that_can_not_be_used_is_named(
    load_settings: LoadSettings, variables: dict[str, str], sentence: str
):
    with pytest.raises(BadSetting, match=sentence):
        load_settings(**variables)


@pytest.mark.parametrize(
    "variables",
    [
        {"SEALING_KEYS": "s3cret-value"},
        {"DATABASE_URL": "nonsense://me:s3cret-value@db/x"},
        {"DATABASE_URL": "s3cret-value"},
        {"REDIS_URL": "http://:s3cret-value@redis"},
        {"STREAMS_URL": "http://:s3cret-value@redis", "REDIS_URL": "redis://redis"},
        {"STREAMS_URL": "redis+sentinel://:s3cret-value@redis", "REDIS_URL": "redis://redis"},
        {"STREAMS_URL": "redis+cluster://:s3cret-value@redis:port", "REDIS_URL": "redis://redis"},
        {"STREAMS_URL": "redis://:s3cret-value@redis"},
    ],
)
def test_a_secret_is_not_repeated(load_settings: LoadSettings, variables: dict[str, str]):
    with pytest.raises(BadSetting, match=next(iter(variables))) as refusal:
        load_settings(**variables)

    assert "s3cret-value" not in str(refusal.value)


def manage(data_dir: Path, *arguments: str, code: str | None = None) -> str:
    """Run a management command, or `code`, in a process of its own, as on a fresh checkout."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings"}
    command = [sys.executable, "-c", code] if code else [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOW_LOGIN_PAGE = """
import django
django.setup()
from django.test import Client
from django.db import connection
page = Client(SERVER_NAME="localhost").get("/accounts/login/")
assert page.status_code == 200, page.status_code
stylesheet = page.content.decode().split('rel="stylesheet"')[1].split('href="')[1].split('"')[0]
style = Client(SERVER_NAME="localhost").get(stylesheet)
assert style.status_code == 200, (stylesheet, style.status_code)
with connection.cursor() as cursor:
    cursor.execute("PRAGMA journal_mode")
    print(cursor.fetchone()[0], stylesheet)
"""


def test_everything_works_on_sqlite_in_a_fresh_directory(tmp_path: Path):
    manage(tmp_path, "migrate", "--verbosity", "0")
    manage(tmp_path, "collectstatic", "--noinput", "--verbosity", "0")

    realm = json.loads(manage(tmp_path, "create_realm", "--owner", "alice@example.com", "--json"))
    shown = manage(tmp_path, code=SHOW_LOGIN_PAGE).split()

    assert len(realm["realm"]) == 8
    assert shown[0] == "wal"
    assert shown[1].startswith("/static/")


def test_no_migration_is_missing(tmp_path: Path):
    assert "No changes" in manage(tmp_path, "makemigrations", "--check", "--dry-run")


def test_a_fresh_checkout_passes_the_system_checks(tmp_path: Path):
    assert "no issues" in manage(tmp_path, "check")


def test_every_variable_is_in_the_manual():
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "fanoutcloud" / "settings.py").read_text()))
    manual = (ROOT / "docs" / "howto" / "configure.md").read_text()

    assert len(read) > 20
    assert sorted(name for name in read if f"`{name}`" not in manual) == []


def test_whoever_serves_this_machine_alone_may_have_origins_on_it(load_settings: LoadSettings):
    assert load_settings().ALLOWED_TARGETS == ["127.0.0.0/8", "::1/128"]
    assert load_settings(BIND="0.0.0.0").ALLOWED_TARGETS == []
    assert load_settings(BIND="0.0.0.0", ALLOWED_TARGETS="10.20.0.0/16").ALLOWED_TARGETS == ["10.20.0.0/16"]
    assert load_settings(ALLOWED_TARGETS="none").ALLOWED_TARGETS == []


def test_a_network_that_is_none_is_named(load_settings: LoadSettings):
    with pytest.raises(BadSetting, match=r"ALLOWED_TARGETS.*10\.20\.0\.1/16"):
        load_settings(ALLOWED_TARGETS="10.20.0.1/16")
