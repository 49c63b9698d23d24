"""Log lines for people (plain) and for machines (JSON), with known shapes of secrets blotted out."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

#: What every record has; the rest was passed as `extra` and is the event's own.
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Paths and headers may reach a log through libraries: password-reset links, keys in GRIP URLs, credentials.
_SECRETS = (
    re.compile(r"(/password/reset/key/)[^\s/\"']+"),
    re.compile(r"(/keep/)[^\s/\"']+"),
    re.compile(r"(key=base64(?::|%3A))[^\s&\"']+", re.IGNORECASE),
    re.compile(r"(\b(?:Bearer|Basic) )[^\s\"']+"),
    re.compile(r"(://[^/\s:@]*:)[^\s/@]+(?=@)"),
)


def hide_secrets(text: str) -> str:
    """Return `text` without password-reset keys, realm keys in URLs, credentials and passwords in URLs."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[hidden]", text)
    return text


class PlainFormatter(logging.Formatter):
    """`12:30:59 INFO edge: subscriber_closed realm=0a1b2c3d reason=slow`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = "".join(f" {name}={value}" for name, value in _own_fields(record).items())
        line = f"{at} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        return hide_secrets("\n".join([line, *_traceback(self, record)]))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `at`, `level`, `logger`, `event` and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": hide_secrets(record.getMessage()),
        }
        for name, value in _own_fields(record).items():
            is_plain = value is None or isinstance(value, bool | int | float)
            entry[name] = value if is_plain else hide_secrets(str(value))
        if traceback := _traceback(self, record):
            entry["traceback"] = hide_secrets("\n".join(traceback))
        return json.dumps(entry)


def _own_fields(record: logging.LogRecord) -> dict[str, object]:
    # Django passes whole requests along; an object says nothing in a log.
    unwanted = _STANDARD_FIELDS | {"request", "response"}
    return {name: value for name, value in vars(record).items() if name not in unwanted}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    return [formatter.formatException(record.exc_info)] if record.exc_info else []


def make_logging(form: str, level: str) -> dict[str, Any]:  # Any: what `logging.config.dictConfig` takes
    """Return the configuration of logging: everything to standard error, `plain` or `json`, from `level` on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {"()": "fanoutcloud.ops.logging.PlainFormatter"},
            "json": {"()": "fanoutcloud.ops.logging.JsonFormatter"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level},
            "django.server": {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "websockets": {"level": "WARNING"},  # else one line for each connection that ends
        },
    }
