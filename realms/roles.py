"""What members of a realm may do: four roles, each with all that the ones below it may."""

from django.db import models


class Role(models.TextChoices):
    """A member's role, the strongest first. A realm has one owner."""

    OWNER = "owner"  # deletes the realm, hands it over
    ADMIN = "admin"  # members, API tokens, keys' end, domains
    DEVELOPER = "developer"  # keys, channel rules, publishing, disconnecting
    VIEWER = "viewer"  # looks at all but secrets

    def is_at_least(self, other: "Role") -> bool:
        """Return whether this role may all that `other` may."""
        return _STRENGTH[self] >= _STRENGTH[other]


_STRENGTH = {role: strength for strength, role in enumerate(reversed(Role))}
#: Those that can be given; the owner changes by handing the realm over.
GIVEN_ROLES = (Role.ADMIN, Role.DEVELOPER, Role.VIEWER)
