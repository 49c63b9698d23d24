"""The functions of docs/howto/receive-webhooks.md, each in its own language, against calls that we sign."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from publishing.webhooks.signing import SigningKeys, show_secret, sign

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "receive-webhooks.md"
SNIPPETS = dict(re.findall(r"^```(\w+) verify\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
SECRET, OLD = bytes(range(32)), bytes(range(1, 33))


class Case(NamedTuple):
    """One call, and whether a receiver should take it."""

    headers: dict[str, str]
    body: bytes
    is_genuine: bool


def cases() -> list[Case]:
    body = '{"text":"häppy"}'.encode() + b"\x00\xff\n"
    now = int(time.time())

    def signed(*secrets: bytes, at: int = now) -> dict[str, str]:
        signature = sign(SigningKeys(secrets), webhook_id="msg_1", timestamp=at, body=body)
        return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}

    good = signed(SECRET)
    return [
        Case(good, body, True),
        Case(signed(OLD, SECRET), body, True),
        Case(signed(SECRET, at=now - 240), body, True),
        Case(good, body + b" ", False),
        Case(signed(OLD), body, False),
        Case(good | {"webhook-id": "msg_2"}, body, False),
        Case(good | {"webhook-signature": ""}, body, False),
        Case(good | {"webhook-signature": good["webhook-signature"][:-1]}, body, False),
        Case(good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")}, body, False),
        Case(good | {"webhook-timestamp": "soon"}, body, False),
        Case(good | {"webhook-timestamp": ""}, body, False),
        Case(signed(SECRET, at=now - 900), body, False),
        Case(signed(SECRET, at=now + 900), body, False),
    ]


def run(command: list[str], given: bytes, *, folder: Path) -> str:
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=110, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


#: Behind a snippet: reads cases as JSON lines, prints 1 or 0 for each.
PYTHON = """
import json, sys
for line in sys.stdin:
    case = json.loads(line)
    print(int(is_genuine(case["secret"], case["headers"], base64.b64decode(case["body"]))))
"""
NODE = """
for (const line of require("node:fs").readFileSync(0, "utf8").trim().split("\\n")) {
  const { secret, headers, body } = JSON.parse(line);
  console.log(isGenuine(secret, headers, Buffer.from(body, "base64")) ? 1 : 0);
}
"""
PHP = """
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    echo (int) is_genuine($case['secret'], $case['headers'], base64_decode($case['body'])), "\\n";
}
"""
RUBY = """
require "json"
STDIN.each_line do |line|
  given = JSON.parse(line)
  puts genuine?(given["secret"], given["headers"], given["body"].unpack1("m")) ? 1 : 0
end
"""
GO = """package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	reader := json.NewDecoder(os.Stdin)
	for {
		var given struct {
			Secret  string
			Headers map[string]string
			Body    []byte
		}
		if reader.Decode(&given) != nil {
			return
		}
		if IsGenuine(given.Secret, given.Headers, given.Body) {
			fmt.Println(1)
		} else {
			fmt.Println(0)
		}
	}
}
"""


def as_lines(found: list[Case]) -> bytes:
    lines = [
        json.dumps({"secret": show_secret(SECRET), "headers": one.headers, "body": base64.b64encode(one.body).decode()})
        for one in found
    ]
    return "\n".join(lines).encode()


def in_shell(found: list[Case], folder: Path) -> str:
    (folder / "verify.sh").write_text(SNIPPETS["sh"])
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    marks = ""
    for one in found:
        arguments = [show_secret(SECRET), *(one.headers[name] for name in names)]
        done = subprocess.run(["sh", "verify.sh", *arguments], input=one.body, check=False, timeout=30, cwd=folder)
        marks += "1\n" if done.returncode == 0 else "0\n"
    return marks


def in_python(found: list[Case], folder: Path) -> str:
    return run([sys.executable, "-c", SNIPPETS["python"] + PYTHON], as_lines(found), folder=folder)


def in_node(found: list[Case], folder: Path) -> str:
    return run(["node", "-e", SNIPPETS["js"] + NODE], as_lines(found), folder=folder)


def in_php(found: list[Case], folder: Path) -> str:
    (folder / "verify.php").write_text(SNIPPETS["php"] + PHP)
    return run(["php", "verify.php"], as_lines(found), folder=folder)


def in_ruby(found: list[Case], folder: Path) -> str:
    return run(["ruby", "-e", SNIPPETS["ruby"] + RUBY], as_lines(found), folder=folder)


def in_go(found: list[Case], folder: Path) -> str:
    (folder / "verify.go").write_text(SNIPPETS["go"])
    (folder / "main.go").write_text(GO)
    return run(["go", "run", "main.go", "verify.go"], as_lines(found), folder=folder)


@pytest.mark.parametrize(
    ("program", "receive"),
    [
        ("openssl", in_shell),
        ("sh", in_python),
        ("node", in_node),
        ("php", in_php),
        ("ruby", in_ruby),
        ("go", in_go),
    ],
    ids=["shell", "python", "node", "php", "ruby", "go"],
)
def test_a_receiver_takes_what_is_genuine_and_nothing_else(
    program: str, receive: Callable[[list[Case], Path], str], tmp_path: Path
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    found = cases()

    marks = receive(found, tmp_path).split()

    assert [mark == "1" for mark in marks] == [one.is_genuine for one in found]


def test_the_page_speaks_six_languages() -> None:
    assert set(SNIPPETS) == {"sh", "python", "js", "php", "ruby", "go"}
