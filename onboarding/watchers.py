"""Who may watch a realm's activity with a credential in place of a session: `fanout tail`."""

from fanoutcloud.core.errors import FanoutError
from publishing.api.authentication import authenticate_header_text
from realms.models import Realm
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import access_realm_as


def find_realm_by_credential(header: bytes, realm_id: str, *, address: str) -> Realm | None:
    """Return the realm if this value of `Authorization` opens it and has the scope `connections:read`, else None.

    Pages can't send the header over a WebSocket, so nobody's browser is made to. Failures from `address` are counted.
    """
    try:
        _, actor = authenticate_header_text(header, address, realm_in_path=realm_id)
        return access_realm_as(actor, realm_id, at_least=Role.VIEWER, scope=Scope.CONNECTIONS_READ)
    except FanoutError:
        return None
