"""What must not be committed is found, and what only looks like it is not."""

import pytest

from deploy.committed_files import faults_of_line

HOSTS = {"packages.example.net"}


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("docs/map.md", "pip install -i https://packages.example.net/simple", "names a package registry's host"),
        ("requirements/run.txt", "--index-url elsewhere", "an address or index option in a lock file"),
        (
            "package-lock.json",
            '"resolved": "https://elsewhere.example/x.tgz"',
            "an address or index option in a lock file",
        ),
        ("tests/x.py", 'ROOT = "/' + 'work/main/x"', "a path of one machine"),
        ("tests/x.py", "see /" + "home/alice/fanout/x", "a path of one machine"),
    ],
)
def test_a_fault_is_named(name: str, line: str, fault: str) -> None:
    assert list(faults_of_line(name, line, HOSTS)) == [fault]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("docs/map.md", "see https://www.example.com/ and docs/work/ and ~/work/x"),
        ("requirements/run.txt", "django==5.2.1 --hash=sha256:00"),
        ("README.md", "make up DATA_DIR=/srv/fanout"),
        ("static/js/x.js", 'fetch("/realms/work/")'),
    ],
)
def test_what_only_looks_like_it_is_left_alone(name: str, line: str) -> None:
    assert list(faults_of_line(name, line, HOSTS)) == []
