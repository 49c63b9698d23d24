"""The snippets hold what they are given, quoted so that nothing of it is read as code."""

import json
import shlex
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from onboarding.snippets import build_listen_command, build_snippets

ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


def text_of(slug: str, **values: str) -> str:
    return next(snippet.text for snippet in build_snippets(**values) if snippet.slug == slug)


@settings(max_examples=25, deadline=None)
@given(realm=ANYTHING, key=ANYTHING, channel=ANYTHING)
def test_the_shell_reads_the_curl_line_as_it_is_meant(realm: str, key: str, channel: str):
    line = text_of("curl", realm=realm, key=key, url="http://localhost/p/", channel=channel)
    script = "curl() { printf '%s\\0' \"$@\"; }\n" + line

    printed = subprocess.run(["sh", "-c", script], check=True, timeout=30, stdout=subprocess.PIPE).stdout.decode()

    option, credential, data_option, data, url, end = printed.split("\0")
    assert (option, credential, data_option, url, end) == ("-u", f"{realm}:{key}", "-d", "http://localhost/p/", "")
    assert json.loads(data)["items"][0]["channel"] == channel


@given(realm=ANYTHING, key=ANYTHING, channel=ANYTHING)
def test_the_python_snippet_is_python_whatever_is_in_it(realm: str, key: str, channel: str):
    source = text_of("python", realm=realm, key=key, url="http://localhost/p/", channel=channel)

    names: dict[str, str] = {}
    exec(source[source.index("realm =") : source.index("request =")], names)
    compile(source, "publish.py", "exec")

    assert (names["realm"], names["key"]) == (realm, key)


def test_the_listen_command_is_one_word_for_the_shell():
    command = build_listen_command(site="http://localhost/r/0a1b2c3d", channel="hello")

    assert shlex.split(command) == ["curl", "-N", "http://localhost/r/0a1b2c3d/fanout/stream?channel=hello"]


def test_snippets_do_not_show_the_key_in_logs():
    snippet = build_snippets(realm="0a1b2c3d", key="c2VjcmV0", url="http://localhost/", channel="hello")[0]

    assert "c2VjcmV0" not in repr(snippet)


def test_the_python_snippet_needs_the_standard_library_only():
    source = text_of("python", realm="0a1b2c3d", key="a2V5", url="http://localhost/", channel="hello")
    imports = "\n".join(line for line in source.splitlines() if line.startswith("import "))

    done = subprocess.run([sys.executable, "-I", "-S", "-c", imports], timeout=30, capture_output=True, text=True)

    assert "import urllib.request" in imports
    assert (done.returncode, done.stderr) == (0, "")
