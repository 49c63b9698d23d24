"""Figures as people say them."""

_UNITS = ("KB", "MB", "GB")


def span(seconds: float) -> str:
    """Return a duration of at least a second in the largest units that say enough: 12 s, 3 min 5 s, 2 h 10 min."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} days"


def volume(size_bytes: int) -> str:
    """Return a number of bytes with its unit: 512 B, 14.2 KB, 3.1 MB."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    power = 1
    while power < len(_UNITS) and size_bytes >= 1000 ** (power + 1):
        power += 1
    return f"{size_bytes / 1000**power:.1f} {_UNITS[power - 1]}"
