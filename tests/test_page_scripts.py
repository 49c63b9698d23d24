"""Modules of pages as one script: run in Node.js, since what counts is what they do."""

import subprocess

import pytest

from fanoutcloud.page_scripts import CannotJoin, join_modules

MODULES = {
    "words": """
const greeting = "hello"; // a name that another module has, too
export function say(name) {
  return `${greeting}, // ${name ? ` (${name}  alone)` : ""}`;
}
/**
 * Counts.
 */
export class Count {
  value = 0;
}
export const END = "!";
""",
    "log": """
console.log("log runs once");
export async function write(text) {
  console.log(text);
}
""",
    "first": """
import { END, say } from "./words.js";
import { write } from "./log.js";
import "./log.js";
const greeting = say("first");
write(greeting + END);
""",
    "second": """
import {
  Count,
  say,
} from "./words.js";
import { write } from "./log.js";
write(say(`second ${new Count().value}`));
""",
}


def read(name: str) -> str:
    return MODULES[name].lstrip()


def test_modules_run_in_their_order_each_once_and_with_names_of_their_own() -> None:
    script = join_modules(["first", "second"], read)

    ran = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.splitlines() == ["log runs once", "hello, //  (first  alone)!", "hello, //  (second 0  alone)"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('import { a as b } from "./words.js";\n', "is not understood"),
        ('import words from "./words.js";\n', "is not understood"),
        ('import { a } from "package";\n', "is not understood"),
        ('const more = await import("./words.js");\n', "is not understood"),
        ("const words = `one\n  two`;\n", "over several lines"),
        ("export default 1;\n", "is not understood"),
        ("export let changing = 1;\n", "is not understood"),
        ('import { a } from "./odd.js";\n', "imports itself"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(CannotJoin, match=f"static/js/odd.js can't be bundled: .*{problem}"):
        join_modules(["odd"], (MODULES | {"odd": text}).__getitem__)
