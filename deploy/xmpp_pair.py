"""`make xmpp`: Fanout Cloud in one process, and a Prosody in front of it, on this machine, for trying it.

PORT is the dashboard's, XMPP_CLIENT_PORT (default 5222) the one for XMPP clients, XMPP_CLIENT_TLS_PORT (5223) the one
where they begin with TLS, XMPP_COMPONENT_PORT (5347) the one between both, XMPP_DOMAIN (default localhost) the domain.
Nothing of Prosody's is kept; the data of Fanout Cloud is in DATA_DIR as ever. An end of one is an end of both.
"""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import services
from supervisor import Ended, Program, Supervisor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fanoutcloud.generated_secrets import read_or_create  # noqa: E402 - needs the path
from fanoutcloud.xmpp_certificate import generate  # noqa: E402


def main() -> None:
    """Run both until told to stop."""
    services.ensure(["prosody"])
    with tempfile.TemporaryDirectory(prefix="fanout-prosody-") as folder:
        sys.exit(asyncio.run(run_pair(Path(folder))))


async def run_pair(folder: Path) -> int:
    """Start both, wait for a signal or an end, stop both; return the exit status."""
    supervisor, told = Supervisor(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    environment = environment_of(folder)
    ours = Program("fanout", [sys.executable, "manage.py", "serve"], environment, ROOT)
    told_to_stop = asyncio.create_task(told.wait())
    an_end = asyncio.create_task(supervisor.wait_for_an_end())
    try:
        await supervisor.start(prosody(folder, environment))
        await supervisor.start(ours)
        print(f"XMPP clients: port {environment['PROSODY_C2S_PORT']}; trust {environment['PROSODY_CERTIFICATE']}")
        await asyncio.wait([told_to_stop, an_end], return_when=asyncio.FIRST_COMPLETED)
        if an_end.done():
            an_end.result()
    except Ended as problem:
        print(f"{problem}; stopping the other one", file=sys.stderr)
        return 1
    finally:
        for task in (told_to_stop, an_end):
            task.cancel()
        await asyncio.gather(told_to_stop, an_end, return_exceptions=True)
        await supervisor.stop()
    return 0


def environment_of(folder: Path) -> dict[str, str]:
    """Return the settings of both. The secret is made once and kept."""
    data_dir = Path(os.environ.get("DATA_DIR", ROOT / "var")).resolve()
    domain, port = os.environ.get("XMPP_DOMAIN", "localhost"), os.environ.get("PORT", "8000")
    component_port = os.environ.get("XMPP_COMPONENT_PORT", "5347")
    certificate = folder / "certificate.pem"
    shutil.copyfile(generate(data_dir, domain), certificate)
    shutil.copytree(ROOT / "deploy" / "prosody" / "modules", folder / "modules")
    return {
        **os.environ,
        "XMPP_DOMAIN": domain,
        "XMPP_SECRET": read_or_create(data_dir / "xmpp_secret", lambda: secrets.token_urlsafe(24)),
        "XMPP_SERVER": f"127.0.0.1:{component_port}",
        "XMPP_AUTH_URL": f"http://127.0.0.1:{port}/xmpp/auth",
        "PROSODY_MODULES": str(folder / "modules"),
        "PROSODY_DATA": str(folder),
        "PROSODY_CERTIFICATE": str(certificate),
        "PROSODY_C2S_PORT": os.environ.get("XMPP_CLIENT_PORT", "5222"),
        "PROSODY_TLS_PORT": os.environ.get("XMPP_CLIENT_TLS_PORT", "5223"),
        "PROSODY_COMPONENT_PORT": component_port,
    }


def prosody(folder: Path, environment: dict[str, str]) -> Program:
    """Return how to run Prosody: as its own user where this is root, which it refuses to be."""
    config = folder / "prosody.cfg.lua"
    shutil.copyfile(ROOT / "deploy" / "prosody" / "prosody.cfg.lua", config)
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        account = {"user": "prosody", "group": "prosody", "extra_groups": []}
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, "prosody", "prosody")
    program = services.find_prosody() or "prosody"
    return Program("prosody", [program, "-F", "--config", str(config)], environment, folder, account=account)


if __name__ == "__main__":
    main()
