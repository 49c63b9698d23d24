"""What the XMPP gateway asks the database about receivers, off its event loop."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from channels.db import database_sync_to_async
from django.db import Error as DatabaseFailure

from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.xmpp_receivers import Question
from realms.models import XmppReceiver
from realms.services.xmpp_receivers import answer_as_receiver, pause_xmpp_receiver, take_questions


def _list_realms() -> list[RealmId]:
    active = XmppReceiver.objects.filter(state=XmppReceiver.State.ACTIVE)
    return [RealmId(realm) for realm in active.order_by().values_list("realm_id", flat=True).distinct()]


_list_realms_off_loop = database_sync_to_async(_list_realms, thread_sensitive=False)
_take_questions = database_sync_to_async(take_questions, thread_sensitive=False)
_answer = database_sync_to_async(answer_as_receiver, thread_sensitive=False)
_pause = database_sync_to_async(pause_xmpp_receiver, thread_sensitive=False)


_T = TypeVar("_T")


async def _ask(question: Awaitable[_T]) -> _T:
    try:
        return await question
    except DatabaseFailure:
        raise Unavailable("the database does not answer") from None


class DatabaseReceiverBook:
    """See `fanoutcloud.core.xmpp_receivers.ReceiverBook`. All raise Unavailable: the database does not answer."""

    async def list_realms(self) -> Sequence[RealmId]:
        """See `ReceiverBook.list_realms`."""
        found: list[RealmId] = await _ask(_list_realms_off_loop())
        return found

    async def take_questions(self) -> Sequence[Question]:
        """See `ReceiverBook.take_questions`."""
        found: list[Question] = await _ask(_take_questions())
        return found

    async def answer(self, realm: RealmId, address: str, text: str) -> str:
        """See `ReceiverBook.answer`."""
        reply: str = await _ask(_answer(realm_id=realm, address=address, text=text))
        return reply

    async def pause(self, realm: RealmId, address: str, reason: str) -> None:
        """See `ReceiverBook.pause`."""
        await _ask(_pause(realm_id=realm, address=address, reason=reason))
