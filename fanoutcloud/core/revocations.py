"""Tokens that were taken back before they expired (docs/topics/access.md, "Revocation"). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fanoutcloud.core.access import Grant


@dataclass(frozen=True, slots=True)
class Revocations:
    """What a realm has revoked and could still be shown.

    `users` maps to when: tokens that were issued later hold, so that a user can sign in again. A token without `iat`
    could be from before, so it does not hold.
    """

    tokens: frozenset[str] = frozenset()
    users: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tokens or self.users)

    def covers(self, grant: Grant) -> bool:
        """Tell whether the grant's token was taken back."""
        if grant.token_id and grant.token_id in self.tokens:
            return True
        revoked_at = self.users.get(grant.user) if grant.user else None
        return revoked_at is not None and (grant.issued_at is None or grant.issued_at <= revoked_at)


NOTHING_REVOKED = Revocations()
