"""`POST /realm/{realm}/http/{domain|default}/`: where a domain's requests go (docs/api/origins.md)."""

from functools import partial

from asgiref.sync import sync_to_async
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from fanoutcloud.core.domains import Origin
from fanoutcloud.core.errors import InvalidRequest, Unavailable
from fanoutcloud.core.names import RealmId
from publishing.compatible.requests import answer_request
from realms.domain_rules import check_origins
from realms.errors import InvalidDomainSetting
from realms.selectors import domain_name_in_path, get_realm
from realms.services import OriginChange, change_origin

METHODS = "POST, OPTIONS"
_SWITCHES = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


@csrf_exempt  # the credential is in a header, which no page of a stranger can make a browser send
async def set_origin(request: HttpRequest, realm_id: str, domain: str) -> HttpResponse:
    """Change the servers of one domain; what the form leaves out stays as it is."""
    return await answer_request(request, realm_id, methods=METHODS, act=partial(_set_origin, request, domain))


async def _set_origin(request: HttpRequest, domain: str, realm_id: RealmId) -> str:
    try:
        form = request.POST
    except (BadRequest, SuspiciousOperation, RequestDataTooBig, UnicodeDecodeError):
        raise InvalidRequest("the body is no form", cure="send host=…&port=…, form-encoded", field="body") from None
    try:
        await sync_to_async(_store)(realm_id, domain, form)
    except DatabaseError:
        raise Unavailable("the domain can't be changed at the moment") from None
    return "Updated"


def _store(realm_id: RealmId, domain: str, form: QueryDict) -> None:
    realm = get_realm(realm_id)
    change_origin(realm=realm, name=domain_name_in_path(realm, domain), change=read_change(form))


def read_change(form: QueryDict) -> OriginChange:
    """Return what a form changes. Blocks: whether a target is one of our own names is looked up.

    Raises:
        InvalidDomainSetting: names the field.
    """
    if not form:
        cure = "send host and port, ssl_host and ssl_port, rewrite_host or over_http"
        raise InvalidDomainSetting("the form is empty", cure=cure, field="body")
    return OriginChange(
        plain=_read_target(form, "host", "port", is_tls=False),
        tls=_read_target(form, "ssl_host", "ssl_port", is_tls=True),
        rewrites_host=_read_switch(form, "rewrite_host"),
        is_websocket_over_http=_read_switch(form, "over_http"),
    )


def _read_target(form: QueryDict, host_name: str, port_name: str, *, is_tls: bool) -> tuple[Origin, ...] | None:
    """Return the target, `()` if both fields are there and empty, or None if neither is there."""
    if host_name not in form and port_name not in form:
        return None
    host, port = form.get(host_name, ""), form.get(port_name, "")
    if not host and not port:
        return ()
    if not host or not port:
        missing, other = (host_name, port_name) if not host else (port_name, host_name)
        raise InvalidDomainSetting(f"is missing beside {other}", cure="send both, or neither", field=missing)
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise InvalidDomainSetting(f"{port[:20]!r} is no port", cure="use 1 to 65535", field=port_name)
    origins = (Origin(host.strip().strip("[]"), int(port), is_tls),)
    try:
        check_origins(origins, field="")
    except InvalidDomainSetting as error:
        field = port_name if (error.field or "").endswith("port") else host_name
        raise InvalidDomainSetting(error.message, cure=error.cure, field=field) from None
    return origins


def _read_switch(form: QueryDict, name: str) -> bool | None:
    text = form.get(name)
    if text is None:
        return None
    value = _SWITCHES.get(text.strip().lower())
    if value is None:
        raise InvalidDomainSetting(f"{text[:20]!r} is neither true nor false", cure="use true or false", field=name)
    return value
