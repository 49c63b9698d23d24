"""Servers that end with the process that started them, however that ends: pytest-timeout lets none of it clean up.

A watcher of its own holds one end of a pipe, this process the other. When that closes, the watcher ends what it was
told of, and what those have started.
"""

import atexit
import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WATCHER = Path(__file__).with_name("lifeline_watcher.py")


def start(words: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":  # Any: text or bytes, as for Popen
    """Start a program as `Popen` does; it ends with this process at the latest."""
    process = subprocess.Popen([str(word) for word in words], **options)
    hold(process.pid)
    return process


def hold(pid: int) -> None:
    """Have a process end with this one at the latest."""
    pipe = _watcher(os.getpid()).stdin
    assert pipe is not None
    pipe.write(b"%d\n" % pid)


@functools.cache
def _watcher(_pid: int) -> "subprocess.Popen[bytes]":
    """Start the watcher of this process; a child by fork gets one of its own."""
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_WATCHER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,  # Ctrl-C is for who is watched
    )
    atexit.register(watcher.communicate, timeout=10)
    return watcher
