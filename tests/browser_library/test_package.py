"""The package for npm: installable, small, tree-shakeable, typed; as somebody gets it who installs it."""

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from deploy.services import find_node
from fanoutcloud.edge.site.client_library import SOURCE

MOST_BYTES = 8192
TIMEOUT_S = 120.0

_TYPED = """
import { Fanout, FanoutError, type Item, type Position } from "fanoutcloud-client";
import { Request } from "fanoutcloud-client/pollymer";

interface Door { open: boolean }

const client = new Fanout("https://example.net/r/0a1b2c3d", {
  getToken: async ({ reason }) => (reason === "denied" ? null : "text"),
  transports: ["ws", "poll"],
});
const door = client.channel<Door>("door", { history: 20, presence: true, filter: "a = 1", delta: true });
const stop: () => void = door.subscribe((item: Item<Door>) => console.log(item.data.open, item.position));
door.on("presence", ({ members, count }) => console.log(members.map(({ user }) => user), count));
door.on("reset", ({ reason, position }) => console.log(reason, position));
client.on("state", ({ state, retryIn }) => console.log(state === "connected", retryIn ?? 0));
export async function all(): Promise<Position | null> {
  for await (const item of door) if (item.data.open) break;
  const { position } = await door.publish({ open: true }, { id: "1" });
  const page = await door.history({ limit: 2, before: position });
  stop();
  client.close();
  return page.position;
}
const request = new Request({ maxTries: 2 });
request.on("finished", function (code, result, headers) {
  console.log(code + 1, result, headers["a"], this.lastRequest?.uri);
});
request.start("GET", () => "https://example.net/");
export const is = (error: unknown): boolean => error instanceof FanoutError && error.retryable;
// @ts-expect-error: there is no such transport
new Fanout("https://example.net", { transports: ["pigeon"] });
// @ts-expect-error: this is no Door
void door.publish({ open: "yes" });
"""


@pytest.fixture(scope="module")
def tools(node_packages: Path) -> Path:
    return node_packages / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has the packed package installed."""
    npm = find_node()
    assert npm is not None
    folder = tmp_path_factory.mktemp("npm-project")
    packed = json.loads(_run(npm, "pack", "--json", "--pack-destination", str(folder), str(SOURCE), folder=folder))
    (folder / "package.json").write_text('{"name": "project", "private": true, "type": "module"}')
    tarball = folder / packed[0]["filename"]
    _run(npm, "install", "--offline", "--no-audit", "--no-fund", str(tarball), folder=folder)
    return folder


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _bundle(tools: Path, project: Path, program: str) -> bytes:
    (project / "main.js").write_text(program)
    flags = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--log-level=warning", "--log-limit=0")
    printed = _run(str(tools / "esbuild"), "main.js", *flags, "--external:./share.js", folder=project)
    return printed.encode()


def test_it_works_where_it_is_installed_also_without_a_page(project: Path) -> None:
    (project / "use.mjs").write_text(
        'import { Fanout } from "fanoutcloud-client"; import { Request } from "fanoutcloud-client/pollymer";'
        'console.log(new Fanout("http://localhost/").state, new Request().maxTries);'
    )

    assert _run("node", "use.mjs", folder=project) == "idle 1\n"


def test_types_hold_under_strict(tools: Path, project: Path) -> None:
    (project / "use.ts").write_text(_TYPED)
    flags = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--exactOptionalPropertyTypes")

    assert _run(str(tools / "tsc"), *flags, "--lib", "es2022,dom", "use.ts", folder=project) == ""


def test_the_readme_holds_what_the_types_say(tools: Path, project: Path) -> None:
    readme = (project / "node_modules/fanoutcloud-client/README.md").read_text()
    (project / "readme.ts").write_text("".join(re.findall(r"^```js\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)))
    flags = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom")

    assert _run(str(tools / "tsc"), *flags, "readme.ts", folder=project) == ""


def test_bundled_it_is_within_its_size(tools: Path, project: Path) -> None:
    whole = _bundle(tools, project, 'export * from "fanoutcloud-client";')

    assert len(gzip.compress(whole, 9)) <= MOST_BYTES


def test_what_is_not_used_is_left_out(tools: Path, project: Path) -> None:
    only_error = _bundle(
        tools, project, 'import { Fanout, FanoutError } from "fanoutcloud-client"; console.log(FanoutError);'
    )
    nothing = _bundle(tools, project, 'import "fanoutcloud-client"; import "fanoutcloud-client/pollymer";')

    assert b"WebSocket" not in only_error
    assert len(only_error) < 1000
    assert nothing.strip() == b""
