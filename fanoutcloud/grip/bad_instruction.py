"""The error of an origin that tells the edge something it can't do."""

from fanoutcloud.core.errors import FanoutError


class BadInstruction(FanoutError):
    """The origin's answer holds an instruction that makes no sense; `field` is the header or the member."""

    code = "bad_instruction"
    http_status = 502


def refused(field: str, message: str, *, cure: str) -> BadInstruction:
    """Return the error for what stands at `field`."""
    return BadInstruction(message, cure=cure, field=field)


def shown(value: object) -> str:
    """Return a value of the origin's for a message: short, printable, in quotes."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")
