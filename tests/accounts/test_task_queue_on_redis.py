"""The task queue as processes of their own: a worker and beat that meet the dashboard in Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import prepared_folder

ROOT = Path(__file__).resolve().parent.parent.parent

SEND_AND_WAIT = """
import time
import django
django.setup()
from accounts.models import OutgoingEmail
from django.core.mail import send_mail
send_mail("Hello", "text", None, ["alice@example.com"])
deadline = time.monotonic() + 30
while not OutgoingEmail.objects.filter(status="sent").exists() and time.monotonic() < deadline:
    time.sleep(0.1)
print(*OutgoingEmail.objects.values_list("status", "attempts"))
"""


@contextmanager
def running(environment: dict[str, str], log: Path, *arguments: str) -> Iterator[None]:
    """Run Celery with `arguments` until the block ends, then end it as an operator would."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "fanoutcloud", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield
            process.terminate()
            assert process.wait(20) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def run_python(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_mail_is_sent_by_the_worker(redis_url: str, tmp_path: Path):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings",
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": redis_url,
    }
    prepared_folder.fill(tmp_path, environment)

    with ExitStack() as processes:
        worker_log = tmp_path / "worker.log"
        worker = ("worker", "--concurrency", "1", "--without-gossip", "--without-mingle")
        processes.enter_context(running(environment, worker_log, *worker))
        processes.enter_context(running(environment, tmp_path / "beat.log", "beat"))
        outcome = run_python(environment, "-c", SEND_AND_WAIT)

    assert outcome.strip() == "('sent', 1)"
    assert "Subject: Hello" in worker_log.read_text()
