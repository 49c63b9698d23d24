"""The product under Daphne, a server that knows nothing of prepared sinks: the same application over plain ASGI."""

import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.servers import lifeline, prepared_folder
from tests.servers.product import ROOT, START_TIMEOUT_S, Product


class DaphneProduct(Product):
    """One running `daphne fanoutcloud.asgi:application`, with its own data directory. What it prints is in `log`."""

    def start(self) -> None:
        """Start it on a prepared database; returns once it answers."""
        prepared_folder.fill(self.data_dir, self._environment)
        with self.log.open("w") as log:
            self._process = lifeline.start(
                [
                    sys.executable,
                    "-m",
                    "daphne",
                    "-b",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                    "fanoutcloud.asgi:application",
                ],
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        self._wait_until_it_answers(self._process)

    def _wait_until_it_answers(self, process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=START_TIMEOUT_S):
                    return
            except urllib.error.URLError:
                time.sleep(0.05)
        self.kill()
        pytest.fail(f"daphne did not answer:\n{self.log.read_text()}")
