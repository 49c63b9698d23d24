"""`manage.py xmpp` where settings are missing or can't be used: one sentence that names the setting and the cure."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.command import clean_environment

ROOT = Path(__file__).resolve().parents[1]
REDIS = {"REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "A gateway of its own needs REDIS_URL"),
        (REDIS, "XMPP is off: set XMPP_SERVER and XMPP_SECRET, or XMPP_PORT."),
        (REDIS | {"XMPP_SERVER": "127.0.0.1"}, "XMPP_SERVER is set without XMPP_SECRET"),
        (REDIS | {"XMPP_SERVER": "a:b", "XMPP_SECRET": "s"}, "XMPP_SERVER is 'a:b'; expected HOST:PORT"),
        (REDIS | {"XMPP_PORT": "1", "XMPP_DOMAIN": "a_b"}, "XMPP_DOMAIN is 'a_b'; expected a name such as"),
        (REDIS | {"XMPP_PORT": "1", "XMPP_TLS_KEY": "/nowhere"}, "XMPP_TLS_KEY is '/nowhere'; there is no such file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(settings: dict[str, str], told: str, tmp_path: Path) -> None:
    environment = clean_environment(DATA_DIR=str(tmp_path), **settings)

    ended = subprocess.run(
        [sys.executable, "manage.py", "xmpp"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
