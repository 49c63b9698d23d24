"""`fanout bench` and `fanout doctor` against the real product. What the figures are is no matter of these tests."""

from tests.client.conftest import Fanout


def test_bench_measures_fan_out_and_publishing(fanout: Fanout) -> None:
    done = fanout("bench", "--subscribers", "50", "--rounds", "3", "--seconds", "0.3", "--processes", "2", "--json")

    figures = {row["what"]: row for row in done.rows}
    assert done.status == 0, done.errors
    assert all(row["value"] > 0 for row in done.rows)
    assert {"fan-out to 50 over websocket", "publishing, 100 items per request"} <= set(figures)
    assert not [row for row in done.rows if "void" in row["remark"] or "refused" in row["remark"]]


def test_bench_takes_event_streams_and_prints_a_table(fanout: Fanout) -> None:
    done = fanout("bench", "--subscribers", "10", "--rounds", "2", "--transport", "sse", "--only", "fan-out")

    assert done.status == 0, done.errors
    assert "fan-out to 10 over sse" in done.output
    assert "Measured from this machine" in done.errors


def test_bench_says_why_it_can_not_measure(fanout: Fanout) -> None:
    for words, variables, cause in (
        ((), {"FANOUT_KEY": ""}, "bench publishes with a key"),
        (("--subscribers", "2"), {"FANOUT_REALM": "00000000"}, "did not take a subscriber"),
        (("--only", "publish"), {"FANOUT_URL": "http://127.0.0.1:9"}, "can't be reached"),
    ):
        done = fanout("bench", *words, **variables)
        assert done.status > 0
        assert cause in done.errors


def test_doctor_finds_everything_well(fanout: Fanout) -> None:
    done = fanout("doctor", "--json")

    assert done.status == 0, done.output
    assert [row["check"] for row in done.rows] == [
        "name",
        "connection",
        "clock",
        "credential",
        "websocket",
        "http-stream",
        "sse",
        "long-poll",
    ]


def test_doctor_names_cause_and_cure(fanout: Fanout) -> None:
    closed = fanout("doctor", FANOUT_URL="http://127.0.0.1:9")
    nameless = fanout("doctor", FANOUT_URL="http://nowhere.invalid")
    keyless = fanout("doctor", FANOUT_KEY="wrong")
    expired = fanout("token", "make", "a", "--lifetime", "1s")
    other = fanout("doctor", FANOUT_TOKEN=expired.output.strip() + "x")

    assert "FAIL  connection" in closed.output
    assert "does a firewall close the port?" in closed.output
    assert "nowhere.invalid has no address" in nameless.output
    assert "FAIL  credential" in keyless.output
    assert "cure: copy the key" in keyless.output
    assert "is not signed with the key" in other.output
    assert [done.status for done in (closed, nameless, keyless, other)] == [1, 1, 1, 1]
