"""Pin requirements/*.in again, for every machine and Python ≥ 3.11, with hashes and without any address: `make lock`.

`ARGS='--upgrade'` takes newer versions; without it pins that still fit are kept.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_VENV = ROOT / "build" / "uv"
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--quiet",
]


def main() -> None:
    """Compile run.in first: test.in is constrained by what comes out."""
    python = UV_VENV / "bin" / "python"
    if not (UV_VENV / "bin" / "uv").exists():
        venv.create(UV_VENV, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "uv"], check=True)
    for name in ("run", "test"):
        source, target = f"requirements/{name}.in", f"requirements/{name}.txt"
        subprocess.run(
            [UV_VENV / "bin" / "uv", "pip", "compile", *OPTIONS, *sys.argv[1:], source, "--output-file", target],
            cwd=ROOT,
            check=True,
        )
        print(f"wrote {target}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as problem:
        sys.exit(f"{Path(str(problem.cmd[0])).name} failed with status {problem.returncode}; its words are above.")
