"""Callbacks by topic, and handing items to a hub."""

from fanoutcloud.broker.listening import AnnouncementListeners


def test_the_owner_hears_of_the_first_and_the_last_callback_of_a_topic() -> None:
    log: list[tuple[str, str]] = []
    listeners = AnnouncementListeners(
        on_first=lambda topic: log.append(("first", topic)), on_last=lambda topic: log.append(("last", topic))
    )

    end_one = listeners.listen("a", lambda payload: None)
    end_two = listeners.listen("a", lambda payload: None)
    end_one()
    assert log == [("first", "a")]
    end_two()
    end_two()

    assert log == [("first", "a"), ("last", "a")]
    assert listeners.topics() == []


def test_a_callback_may_unlisten_while_it_is_called() -> None:
    listeners = AnnouncementListeners()
    heard: list[bytes] = []
    endings = [listeners.listen("a", lambda payload: [end() for end in endings]), listeners.listen("a", heard.append)]

    listeners.deliver("a", b"1")
    listeners.deliver("a", b"2")

    assert heard == [b"1"]
