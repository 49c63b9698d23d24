"""What a sandbox may not do: reach out. Its visitor is unknown, so it calls no server and mails nobody."""

from realms.models import Realm
from realms.sandbox_errors import NotInSandbox


def refuse_in_sandbox(realm: Realm, what: str) -> None:
    """Raise `NotInSandbox` if the realm belongs to nobody; `what` completes "a sandbox can't …"."""
    if realm.owner_id is None:
        raise NotInSandbox(what)
