"""System checks: settings that are dangerous together. `manage.py check` shows them with their cure.

E001  DEBUG is on for hosts that others can reach
E002  SECRET_KEY was generated, in an installation that others can reach and that is not embedded
E003  SEALING_KEYS were generated, likewise
E004  a part of many processes is started without Redis
E005  a part of many processes is started on SQLite
E006  ALLOWED_HOSTS lets every host through
E007  a realm's site could set cookies for the dashboard
E008  ALLOWED_TARGETS holds a network that stands for all addresses
E009  names are looked up by an egress proxy, and lists of networks are to judge what it finds
W001  PUBLIC_URL is https and no proxy is trusted
W002  DATABASE_URL without REDIS_URL: this process must be the only one
W003  realms may name servers on this very machine, in an installation that others can reach
W004  ALLOWED_TARGETS lists an address where a cloud hands out credentials
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  # Django's names

from fanoutcloud.outbound.addresses import METADATA, TRANSLATING
from fanoutcloud.outbound.lists import parse_targets

#: Servers make these checks when they start. Django's own look at the code, which is the same at every start, and load
#: every page of the dashboard for it, which an edge has no use for: `manage.py check` makes all of them.
CHECK_TAG = "fanoutcloud"
_PREFIX = f"{CHECK_TAG}."


def check_settings(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings as a whole."""
    return [message for check in _CHECKS for message in check()]


def _check_debug() -> list[CheckMessage]:
    if not (settings.DEBUG and _public_hosts()):
        return []
    return [
        _error(
            "E001",
            f"DEBUG is on while others can reach {_public_hosts()[0]}: errors would show settings and code",
            "unset DEBUG, or keep PUBLIC_URL and ALLOWED_HOSTS to localhost",
        )
    ]


def _check_generated_secrets() -> list[CheckMessage]:
    if settings.IS_EMBEDDED or not _public_hosts():
        return []
    hint = "set {0} or {0}_FILE to the same value in every process"
    messages: list[CheckMessage] = []
    if settings.IS_SECRET_KEY_GENERATED:
        problem = "SECRET_KEY was generated on this machine: sessions would not hold across machines"
        messages.append(_error("E002", problem, hint.format("SECRET_KEY")))
    if settings.IS_SEALING_KEY_GENERATED:
        problem = "SEALING_KEYS were generated on this machine: realm keys could not be read on another"
        messages.append(_error("E003", problem, hint.format("SEALING_KEYS")))
    return messages


def _check_many_processes() -> list[CheckMessage]:
    if settings.ROLE == "all":
        return []
    messages: list[CheckMessage] = []
    if not settings.REDIS_URL:
        problem = f"ROLE is {settings.ROLE!r} without REDIS_URL: items would stay in the process they came to"
        messages.append(_error("E004", problem, "set REDIS_URL, or ROLE=all for everything in one process"))
    if settings.IS_SQLITE:
        problem = f"ROLE is {settings.ROLE!r} on SQLite, which many processes on many machines can't share"
        messages.append(_error("E005", problem, "set DATABASE_URL to a PostgreSQL, or ROLE=all"))
    return messages


def _check_allowed_hosts() -> list[CheckMessage]:
    if settings.DEBUG or "*" not in settings.ALLOWED_HOSTS:
        return []
    problem = "ALLOWED_HOSTS holds '*': password-reset links could be made to lead to a stranger's host"
    return [_error("E006", problem, "list the hosts of the dashboard; realm sites need no entry")]


def _check_edge_domain() -> list[CheckMessage]:
    dashboard, sites = _dashboard_host(), _host_of(f"//{settings.EDGE_DOMAIN}")
    if _is_loopback(dashboard) or not (dashboard == sites or dashboard.endswith(f".{sites}")):
        return []
    problem = f"realm sites under {sites} could set cookies for the dashboard at {dashboard}"
    return [_error("E007", problem, "set EDGE_DOMAIN to a domain that the dashboard's host is not part of")]


def _check_proxies() -> list[CheckMessage]:
    if not settings.IS_HTTPS or settings.TRUSTED_PROXIES:
        return []
    problem = "PUBLIC_URL is https and no proxy is trusted: behind one, all clients would share an address"
    hint = "set TRUSTED_PROXIES to the proxy's address, unless this process answers TLS itself"
    return [_warning("W001", problem, hint)]


def _check_lonely_broker() -> list[CheckMessage]:
    if settings.ROLE != "all" or settings.REDIS_URL or settings.IS_SQLITE:
        return []
    problem = "DATABASE_URL is set and REDIS_URL is not: a second process would not receive this one's items"
    return [_warning("W002", problem, "set REDIS_URL before starting a second process")]


def _check_allowed_targets() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for network in parse_targets(settings.ALLOWED_TARGETS).networks:
        hidden = [known for known in TRANSLATING if known.version == network.version and known.overlaps(network)]
        if hidden or network.prefixlen == 0:
            problem = f"ALLOWED_TARGETS holds {network}: it stands for every address, private ones and this machine too"
            messages.append(_error("E008", problem, "list the networks that origins are in, such as 10.1.0.0/16"))
        elif network.is_loopback and _public_hosts() and not settings.IS_LOOPBACK_ALLOWED_BY_DEFAULT:
            problem = f"ALLOWED_TARGETS holds {network} while others can reach {_public_hosts()[0]}"
            hint = "take it out, unless everybody with an account here may reach what listens on this machine"
            messages.append(_warning("W003", problem, hint))
        elif network.num_addresses == 1 and network.network_address in METADATA:
            problem = f"ALLOWED_TARGETS lists {network.network_address}, where a cloud hands out credentials"
            messages.append(_warning("W004", problem, "take it out: whoever has an account here could ask for them"))
    return messages


def _check_egress_proxy() -> list[CheckMessage]:
    """Which networks may be reached is the proxy's to say: nobody here sees what it connects to."""
    lists = {"ALLOWED_TARGETS": settings.ALLOWED_TARGETS, "DENIED_TARGETS": settings.DENIED_TARGETS}
    named = [name for name, texts in lists.items() if parse_targets(texts).networks]
    if not settings.EGRESS_PROXY or not named:
        return []
    problem = f"EGRESS_PROXY is set, and {' and '.join(named)} lists networks, which would not be looked at for names"
    return [_error("E009", problem, "list networks in the proxy's configuration; names may stay here")]


_CHECKS: tuple[Callable[[], list[CheckMessage]], ...] = (
    _check_debug,
    _check_generated_secrets,
    _check_many_processes,
    _check_allowed_hosts,
    _check_edge_domain,
    _check_proxies,
    _check_lonely_broker,
    _check_allowed_targets,
    _check_egress_proxy,
)


def _error(check_id: str, problem: str, hint: str) -> CheckMessage:
    return Error(problem, hint=hint, id=_PREFIX + check_id)


def _warning(check_id: str, problem: str, hint: str) -> CheckMessage:
    return Warning(problem, hint=hint, id=_PREFIX + check_id)


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _dashboard_host() -> str:
    return _host_of(settings.PUBLIC_URL)


def _public_hosts() -> list[str]:
    """Return the hosts under which others can reach this installation."""
    hosts = [_dashboard_host(), *(host.strip("[]") for host in settings.ALLOWED_HOSTS)]
    return [host for host in hosts if not _is_loopback(host)]


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
