"""The way to an address that has not subscribed: whose stanzas it gets, and how many errors are in a row."""

from fanoutcloud.core.jids import Jid, parse_jid
from fanoutcloud.core.stanza_format import parse_stanza, write_stanza
from fanoutcloud.xmpp.asked_ids import AskedIds
from fanoutcloud.xmpp.receivers import ReceiverOutlet

OPS = parse_jid("ops@example.org")


class KeptWay:
    """Keeps what is sent; takes nothing while nobody is there."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_there = True

    def reaches(self, jid: Jid) -> bool:
        return True

    def send_to(self, jid: Jid, stanza: bytes) -> bool:
        if self.is_there:
            self.sent.append(stanza)
        return self.is_there

    def unsent_bytes(self) -> int:
        return sum(map(len, self.sent))

    async def drained(self) -> None: ...


def frame(content: str) -> bytes:
    return write_stanza(parse_stanza(content, "p"), sender="r@stanza.push.test")


def test_a_stanza_gets_its_receiver_and_one_for_another_is_passed_over() -> None:
    way = KeptWay()
    outlet = ReceiverOutlet(OPS, [way], AskedIds())
    for content in (
        "<message id='1'/>",
        "<message id='2' to='eve@example.org'/>",
        "<message id='3' to='ops@example.org'/>",
    ):
        outlet.write(frame(content))
    outlet.write(b"")

    assert way.sent == [
        b"<message to='ops@example.org' from='r@stanza.push.test' id='1'/>",
        b"<message to='ops@example.org' from='r@stanza.push.test' id='3'/>",
    ]


def test_what_one_door_does_not_take_goes_through_the_next() -> None:
    ways = [KeptWay(), KeptWay()]
    ways[0].is_there = False
    ReceiverOutlet(OPS, ways, AskedIds()).write(frame("<iq type='get' to='ops@example.org'/>"))

    assert ways[1].sent[0].startswith(b"<iq to='ops@example.org' id='")
    assert b"\x7f" not in ways[1].sent[0]


def test_errors_are_in_a_row_while_nothing_arrives_between_them() -> None:
    outlet = ReceiverOutlet(OPS, [KeptWay()], AskedIds())
    for number in range(8):
        outlet.write(frame(f"<message id='{number}'/>"))

    assert [outlet.note_answer(str(id_), is_error=True) for id_ in (0, 2, 1)] == [
        1,
        1,
        3,
    ]  # one server's errors overtake
    assert outlet.note_answer("5", is_error=True) == 3  # 3 and 4 have arrived, or are late
    assert outlet.note_answer("unknown", is_error=True) == 0
    assert outlet.note_answer("", is_error=False) == 0
    outlet.write(frame("<message id='8'/>"))
    assert outlet.note_answer("8", is_error=True) == 1
