"""What only the collector finds: objects in cycles, each collection of which is a pause for every connection."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = ("fanoutcloud.", "uvicorn.", "httptools.")


@contextmanager
def watched_garbage() -> Iterator[Counter[str]]:
    """Collect at the end; the mapping has the classes of the server's own objects that were found, and their counts."""
    found: Counter[str] = Counter()
    was_enabled = gc.isenabled()
    gc.disable()
    gc.collect()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        yield found
        gc.collect()
        classes = [f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage]
        found.update(name for name in classes if name.startswith(_OURS))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()
