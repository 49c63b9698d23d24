"""Modules put together: nothing of them is lost, and their internal names are short."""

import subprocess

import pytest

from deploy.services import find_node
from fanoutcloud.edge.site.script_bundles import Bundler

LOWER = """
// A comment, and "a string" in it.
const MOST_ITEMS = 3;
const SIGNS = [
  ",}",
  ';}\\'',
];
export function greet(name) {
  return `#hi _${name} ${MOST_ITEMS}`; // with text that looks like names
}
export function signs() {
  return SIGNS.join(`,)${SIGNS.length};}`);
}
"""
UPPER = """
import { greet, signs } from "./lower.js";
export { greet };
export class Greeter {
  #name = "x";
  _loud = "_loud";
  constructor(name) {
    this.#name = name;
  }
  async greet() {
    return greet(this.#name) + this._loud;
  }
  signs() {
    return signs();
  }
}
"""

BUNDLER = Bundler({"lower": LOWER, "upper": UPPER}, ["Greeter"])


def _run(text: bytes) -> str:
    assert find_node(), "Node.js is not installed; `make test` installs it"
    done = subprocess.run(["node", "--input-type=module"], input=text, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "text",
    [
        BUNDLER.module(["lower", "upper"], ["Greeter"]),
        BUNDLER.script(["lower", "upper"], "globalThis.Greeter=Greeter;"),
    ],
    ids=["module", "script"],
)
def test_what_is_put_together_does_the_same(text: bytes) -> None:
    assert _run(text + b'console.log(await new Greeter("you").greet());') == "#hi _you 3_loud"


def test_only_code_is_tightened() -> None:
    text = BUNDLER.module(["lower", "upper"], ["Greeter"])

    assert _run(text + b'console.log(new Greeter("you").signs());') == ",},)2;};}'"
    assert b"return signs()}" in text


def test_comments_and_long_internal_names_are_gone() -> None:
    text = BUNDLER.module(["lower", "upper"], ["Greeter"])

    for gone in (b"//", b"comment", b"MOST_ITEMS", b"#name", b"this._loud", b"import"):
        assert gone not in text
    assert text.endswith(b"export{Greeter};\n")
