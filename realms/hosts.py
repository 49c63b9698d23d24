"""The installation's own hosts, by its settings."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import LazySettings

from fanoutcloud.core.own_hosts import OwnHosts


def own_hosts(settings: LazySettings) -> OwnHosts:
    """Return the hosts that the installation has for itself and for its realms' host form."""
    return OwnHosts(settings.EDGE_DOMAIN, other_hosts=[*settings.ALLOWED_HOSTS, public_host(settings)])


def public_host(settings: LazySettings) -> str:
    """Return the dashboard's host."""
    return urlsplit(settings.PUBLIC_URL).hostname or ""


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
