"""The installation's own hosts, by its settings."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import LazySettings

from fanoutcloud.core.own_hosts import OwnHosts

#: Where inspectors take what is sent to them: the one place of ours that webhooks may call.
INSPECT_PATH = "/inspect/"
_INSPECTOR = re.compile(re.escape(INSPECT_PATH) + r"[0-9a-f]{24}/")


def own_hosts(settings: LazySettings) -> OwnHosts:
    """Return the hosts that the installation has for itself and for its realms' host form."""
    return OwnHosts(settings.EDGE_DOMAIN, other_hosts=[*settings.ALLOWED_HOSTS, public_host(settings)])


def public_host(settings: LazySettings) -> str:
    """Return the dashboard's host."""
    return urlsplit(settings.PUBLIC_URL).hostname or ""


def is_inspector(url: str, settings: LazySettings) -> bool:
    """Tell whether a URL is one of this installation's inspectors."""
    own: str = settings.PUBLIC_URL
    return url.startswith(own) and _INSPECTOR.fullmatch(url, len(own)) is not None


def is_loopback(host: str) -> bool:
    """Tell whether a host leads back to the machine that asks, whichever that is."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host.strip("[]")).is_loopback


def is_address(text: str) -> bool:
    """Tell whether the text is an IP address, with or without brackets."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def serves_this_machine_only(settings: LazySettings) -> bool:
    """Tell whether the installation is one for trying things: its own address is a loopback one."""
    return is_loopback(public_host(settings))
