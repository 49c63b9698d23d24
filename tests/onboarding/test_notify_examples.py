"""What a team's scripts send, run by a real shell with a `curl` that prints what it was given."""

import json
import re
import shutil
import subprocess

import pytest

from onboarding.notify_examples import build_notify_examples

GIVEN = {"realm": "0a1b2c3d", "key": "a2V5", "url": "http://localhost/realm/0a1b2c3d/publish/", "channel": "alerts"}
PRINTING_CURL = "curl() { printf '%s\\0' \"$@\"; cat; }\n"


def example(slug: str) -> str:
    return next(one.text for one in build_notify_examples(**GIVEN) if one.slug == slug)


def run(script: str, **environment: str) -> list[str]:
    """Run it with bash; return curl's arguments, and at last what was written to it."""
    done = subprocess.run(
        ["bash", "-c", PRINTING_CURL + script],
        env={"PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.split("\0")


def text_in(written: str) -> str:
    [item] = json.loads(written)["items"]
    assert item["channel"] == "alerts"
    return item["json-object"]["text"]


def test_a_cron_line_is_one_line_and_escapes_what_cron_reads():
    lines = [line for line in example("cron").splitlines() if not line.startswith("#")]

    assert len(lines) == 1
    assert not re.search(r"(?<!\\)%", lines[0])
    arguments = run(lines[0].partition("||")[2])
    assert arguments[:2] == ["-u", "0a1b2c3d:a2V5"]
    assert text_in(arguments[3]) == "The nightly job failed"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_shell_function_quotes_whatever_it_is_told():
    hostile = """it's "done" $HOME `id` \\ é"""

    arguments = run(example("shell") + '\nnotify "$MESSAGE"', MESSAGE=hostile)

    assert arguments[:-1] == ["-sS", "-u", "0a1b2c3d:a2V5", "-d", "@-", GIVEN["url"]]
    assert text_in(arguments[-1]) == hostile


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("slug", ["github", "gitlab"])
def test_pipelines_take_the_key_from_their_secrets(slug: str):
    script = re.split(r"run: \||- \|", example(slug))[1]

    arguments = run(
        script,
        FANOUT_AUTH="0a1b2c3d:a2V5",
        GITHUB_WORKFLOW="tests",
        GITHUB_REPOSITORY="a/b",
        CI_PROJECT_PATH="a/b",
        CI_COMMIT_TITLE='say "hi"',
    )

    assert "0a1b2c3d:a2V5" in arguments
    assert "a2V5" not in example(slug)
    assert "failed" in text_in(arguments[-1])
