"""Ids of IQs that realms send: a fresh one for each receiver, so that an answer tells whose it is."""

import secrets
from collections import OrderedDict

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.stanza_format import WITHOUT_ID

#: Beyond this the oldest are forgotten, as if they had been answered.
MAX_ASKED = 20_000


class AskedIds:
    """What was asked and is not answered yet. One per gateway; in memory only, since few wait long for an answer."""

    def __init__(self, *, most: int = MAX_ASKED) -> None:
        self._most = most
        self._asked: OrderedDict[tuple[Jid, str], None] = OrderedDict()

    def number(self, stanzas: bytes, receiver: Jid) -> bytes:
        """Return what is sent to one receiver, with an id in each IQ."""
        while WITHOUT_ID in stanzas:
            id_ = secrets.token_hex(8)
            self._asked[receiver.bare, id_] = None
            if len(self._asked) > self._most:
                self._asked.popitem(last=False)
            stanzas = stanzas.replace(WITHOUT_ID, f"<iq id='{id_}' from=".encode(), 1)
        return stanzas

    def take(self, sender: Jid, id_: str) -> bool:
        """Tell whether this address was asked this, and is answering for the first time."""
        return self._asked.pop((sender.bare, id_), _NOT_ASKED) is None


_NOT_ASKED = object()
