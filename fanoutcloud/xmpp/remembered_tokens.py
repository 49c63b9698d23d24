"""Tokens that accounts have signed in with, where their XMPP server does not tell them with each stanza."""

from collections import OrderedDict

from fanoutcloud.core.jids import Jid

#: Beyond this the oldest are forgotten: those accounts have the rights of anybody until they sign in again.
MAX_REMEMBERED = 100_000


class RememberedTokens:
    """The newest token of each account. In memory only: whoever comes back signs in again."""

    def __init__(self, *, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._by_account: OrderedDict[Jid, str] = OrderedDict()

    def put(self, account: Jid, token: str) -> None:
        """Remember what an account, by its bare address, has signed in with."""
        self._by_account[account] = token
        self._by_account.move_to_end(account)
        if len(self._by_account) > self._most:
            self._by_account.popitem(last=False)

    def find(self, account: Jid) -> str | None:
        """Return the token of an account, or None."""
        return self._by_account.get(account)
