"""Secrets that a fresh checkout makes for itself."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from fanoutcloud.generated_secrets import read_or_create


def test_all_who_start_at_once_get_the_same_secret(tmp_path: Path):
    path, numbers = tmp_path / "new" / "secret", count()

    with ThreadPoolExecutor(16) as threads:
        secrets = list(threads.map(lambda _: read_or_create(path, lambda: f"secret {next(numbers)}"), range(64)))

    assert len(set(secrets)) == 1
    assert [file.name for file in path.parent.iterdir()] == ["secret"]
    assert path.stat().st_mode & 0o777 == 0o600
