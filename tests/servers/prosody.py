"""A real Prosody with our configuration and our module, on free ports, in front of a product."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.servers import lifeline
from tests.servers.command import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0
#: A host of strangers on the same server.
ELSEWHERE = "elsewhere.test"


class Prosody:
    """One throwaway Prosody. May be killed and started again on the same ports."""

    def __init__(
        self,
        directory: Path,
        *,
        domain: str,
        certificate: Path,
        auth_url: str,
        requires_tls: bool = True,
        elsewhere: Path | None = None,
    ) -> None:
        """`elsewhere` is the certificate of a second host, `ELSEWHERE`, where anybody may be who is none of ours."""
        self.secret = secrets.token_hex(8)
        self.port, self.tls_port, self.component_port = free_port(), free_port(), free_port()
        self.log = directory / "prosody.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = os.environ | {
            "XMPP_DOMAIN": domain,
            "XMPP_SECRET": self.secret,
            "XMPP_AUTH_URL": auth_url,
            "PROSODY_MODULES": str(directory / "modules"),
            "PROSODY_DATA": str(directory),
            "PROSODY_CERTIFICATE": str(certificate),
            "PROSODY_C2S_PORT": str(self.port),
            "PROSODY_TLS_PORT": str(self.tls_port),
            "PROSODY_COMPONENT_PORT": str(self.component_port),
        }
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "deploy" / "prosody" / "modules", directory / "modules")
        config = (ROOT / "deploy" / "prosody" / "prosody.cfg.lua").read_text()
        if not requires_tls:
            config = config.replace("c2s_require_encryption = true", "c2s_require_encryption = false")
        if elsewhere is not None:
            config += (
                f'\nVirtualHost "{ELSEWHERE}"\n  authentication = "anonymous"\n'
                f'  ssl = {{ key = "{elsewhere}", certificate = "{elsewhere}" }}\n'
            )
        (directory / "prosody.cfg.lua").write_text(config)

    def start(self) -> None:
        """Start it; returns when it takes clients and components. As root it runs as the user `prosody`."""
        program = shutil.which("prosody")
        if program is None:
            pytest.fail("Prosody is not installed; `make test` installs it")
        as_user: dict[str, str] = {}
        if os.geteuid() == 0:
            as_user = {"user": "prosody", "group": "prosody"}
            for path in [self._directory, *self._directory.rglob("*")]:
                shutil.chown(path, "prosody", "prosody")
        with self.log.open("ab") as log:
            self._process = lifeline.start(
                [program, "-F", "--config", str(self._directory / "prosody.cfg.lua")],
                env=self._environment,
                cwd=self._directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                extra_groups=[] if as_user else None,
                **as_user,  # type: ignore[call-overload]  # names of a user and a group
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            text = self.log.read_text(errors="replace")
            if "Activated service 'c2s' on" in text and "Activated service 'component' on" in text:
                return
            time.sleep(0.05)
        self.kill()
        pytest.fail(f"Prosody did not start:\n{self.log.read_text(errors='replace')}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.log.write_text("")


def prosody_directory() -> Path:
    """Return a new directory that the user `prosody` may enter, unlike those of pytest."""
    return Path(tempfile.mkdtemp(prefix="fanout-prosody-"))
