"""The programs on the page make tokens that hold, in every language that this machine has."""

import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from fanoutcloud.core.directory import RealmKey
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.tokens import verify_token
from realms.token_snippets import TokenSnippet, build_token_snippets
from tests.core.signed import REALM, SECRET, snapshot

_PROGRAMS = {"python": "python3", "javascript": "node", "php": "php", "ruby": "ruby", "shell": "sh"}


@pytest.mark.parametrize("snippet", build_token_snippets(realm=REALM, key_id="17"), ids=lambda snippet: snippet.slug)
def test_a_program_makes_a_token_that_holds(snippet: TokenSnippet, tmp_path: Path) -> None:
    program = shutil.which(_PROGRAMS[snippet.slug])
    if program is None or (snippet.slug == "shell" and shutil.which("openssl") is None):
        pytest.skip(f"{snippet.name} is not installed here")
    file = tmp_path / f"token.{snippet.slug}"
    file.write_text(snippet.text)

    done = subprocess.run(
        [program, str(file)],
        env={"PATH": os.environ["PATH"], "FANOUT_KEY": base64.b64encode(SECRET).decode()},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    grant = verify_token(done.stdout.strip(), snapshot(keys=(RealmKey("17", SECRET),)), now=time.time())
    assert (grant.user, grant.key_id) == ("alice", "17")
    assert grant.allows("subscribe", ChannelName("orders.7"))
