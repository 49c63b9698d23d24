"""A real ejabberd with our configuration, on free ports, in front of a product."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.servers import lifeline
from tests.servers.command import free_port
from tests.servers.prosody import ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "ejabberd"
START_TIMEOUT_S = 60.0


class Ejabberd:
    """One throwaway ejabberd. It has a node name and a distribution port of its own, so that no epmd is needed."""

    def __init__(
        self, directory: Path, *, domain: str, certificate: Path, auth_url: str, elsewhere: Path | None = None
    ) -> None:
        """`elsewhere` is the certificate of a second host, `ELSEWHERE`, where anybody may be who is none of ours."""
        self.secret = secrets.token_hex(8)
        self.port, self.tls_port, self.component_port = free_port(), free_port(), free_port()
        self.log = directory / "ejabberd.log"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copy(DEPLOY / "fanout_auth.py", directory)
        shutil.copy(certificate, directory / "fanout.pem")
        text = (DEPLOY / "ejabberd.yml").read_text()
        for shipped, here in (
            ("push.example.com", domain),
            ("COMPONENT_SECRET", self.secret),
            ("/etc/ejabberd", str(directory)),
            ("python3 ", f"env FANOUT_AUTH_URL={auth_url} XMPP_SECRET={self.secret} {_plain_python()} "),
            ("port: 5222", f"port: {self.port}"),
            ("port: 5223", f"port: {self.tls_port}"),
            ("port: 5347", f"port: {self.component_port}"),
        ):
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        if elsewhere is not None:
            shutil.copy(elsewhere, directory / "elsewhere.pem")
            text = text.replace("certfiles:\n", f"certfiles:\n  - {directory}/elsewhere.pem\n", 1)
            text = text.replace("hosts:\n", f"hosts:\n  - {ELSEWHERE}\n", 1)
            anonymous = text.index(f"  guest.{domain}:\n    auth_method")
            text = text[:anonymous] + f"  {ELSEWHERE}:\n    auth_method: [anonymous]\n" + text[anonymous:]
        (directory / "ejabberd.yml").write_text(text)
        (directory / "ejabberdctl.cfg").write_text(f"ERL_DIST_PORT={free_port()}\nINET_DIST_INTERFACE=127.0.0.1\n")

    def start(self) -> None:
        """Start it; returns when it takes clients and components. As root it runs as the user `ejabberd`."""
        as_user: dict[str, str] = {}
        if os.geteuid() == 0:  # by itself it would change the user with `su`, and leave our process group
            as_user = {"user": "ejabberd", "group": "ejabberd"}
            for path in [self._directory, *self._directory.rglob("*")]:
                shutil.chown(path, "ejabberd", "ejabberd")
        here = str(self._directory)
        words = ["--config-dir", here, "--config", f"{here}/ejabberd.yml", "--ctl-config", f"{here}/ejabberdctl.cfg"]
        words += ["--logs", here, "--spool", f"{here}/spool", "--node", f"fanout{self.port}@localhost", "foreground"]
        with (self._directory / "console.log").open("ab") as console:
            self._process = lifeline.start(
                [shutil.which("ejabberdctl") or "/usr/sbin/ejabberdctl", *words],
                cwd=self._directory,
                stdout=console,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"HOME": here},  # where Erlang keeps its cookie
                start_new_session=True,
                extra_groups=[] if as_user else None,
                **as_user,  # type: ignore[call-overload]  # names of a user and a group
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            text = self.log.read_text(errors="replace") if self.log.exists() else ""
            if f"127.0.0.1:{self.component_port} for ejabberd_service" in text:
                return
            time.sleep(0.1)
        self.kill()
        pytest.fail(f"ejabberd did not start:\n{(self._directory / 'console.log').read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        """End it, and what it has started, as a crash would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _plain_python() -> str:
    """Return a Python that the user `ejabberd` may run: not one in somebody's home."""
    return next((path for path in ("/usr/bin/python3",) if Path(path).exists()), sys.executable)


def ejabberd_directory() -> Path:
    """Return a new directory that the user `ejabberd` may enter, unlike those of pytest."""
    directory = Path(tempfile.mkdtemp(prefix="fanout-ejabberd-"))
    (directory / "spool").mkdir()
    return directory
