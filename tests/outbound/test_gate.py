"""URLs and hosts that tenants write: what gets through, rebuilt, and what does not."""

# ruff: noqa: RUF001 - characters that look like others are what this is about

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.gate import MAX_URL_CHARACTERS, GateRules, parse_host, parse_port, parse_url

RULES = GateRules(own_hosts=("dashboard.example.net", "edge.example.net"))
GOOD = [
    ("https://example.com", "https://example.com/"),
    ("HTTPS://Example.COM:443/a?b#c", "https://example.com/a?b"),
    ("http://example.com:80", "http://example.com/"),
    ("http://example.com:8080?x=1", "http://example.com:8080/?x=1"),
    ("http://example.com./x", "http://example.com/x"),
    ("https://bücher.example/ä".replace("/ä", "/%C3%A4"), "https://xn--bcher-kva.example/%C3%A4"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://a_b.example.com/", "https://a_b.example.com/"),
    ("http://93.184.216.34/", "http://93.184.216.34/"),
    ("http://[2606:4700::1111]:81/x", "http://[2606:4700::1111]:81/x"),
    ("http://[2606:4700:0:0:0:0:0:1111]/", "http://[2606:4700::1111]/"),
    ("http://example.com/a//b/../c?d=http://x@y", "http://example.com/a//b/../c?d=http://x@y"),
    ("http://1e100.net/", "http://1e100.net/"),
    ("http://example.com/%zz", "http://example.com/%zz"),
]
BAD = [
    # schemes
    "", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "dict://example.com/", "ws://example.com/", "unix:///run/x", "http+unix://x/", "javascript:alert(1)",
    "data:text/plain,x", "http:/example.com", "http:example.com", "https//example.com",
    # characters
    "http://exam ple.com/", "http://example.com/\t", "http://example.com/\r\nX: y", "http://example.com\\@good.example/",
    "http:\\\\example.com\\", "http://example.com/\x00", "http://example.com/\x7f", " http://example.com/",
    "http://example.com/ä", "http://example.com/" + "a" * MAX_URL_CHARACTERS,
    # user and password
    "http://user@example.com/", "http://user:pw@example.com/", "http://@example.com/", "http://:@example.com/",
    "http://good.example@127.0.0.1/", "http://127.0.0.1:80@good.example/",
    # percent in the authority
    "http://%31%32%37.0.0.1/", "http://127.0.0.1%00.good.example/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/",
    # hosts that are none
    "http://", "http:///x", "http://a..b.example/", "http://.a.example/", "http://-a.example/", "http://a-.example/",
    "http://" + "a" * 64 + ".example/", "http://" + ".".join(["a" * 60] * 5) + ".example/", "http://exa$mple.com/",
    "http://example.com../", "http://./", "http://*.example.com/", "http://ex\u00adample\u200b.com:80\u200b/",
    # ports
    "http://example.com:/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:+80/",
    "http://example.com:８０/", "http://example.com:80:80/", "http://example.com:-1/", "http://example.com:http/",
    "http://example.com:80.0/", "http://example.com:000080/",
    # brackets
    "http://[127.0.0.1]/", "http://[v1.x]/", "http://[::1", "http://::1]/", "http://[]/", "http://[::1]x/", "http://[[::1]]/",
    "http://[::1]:x/", "http://[1:2:3:4:5:6:7:8:9]/",
    # numbers that some parsers take for addresses
    "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/",
    "http://017700000001/", "http://256.256.256.256/", "http://1.2.3.4.5/", "http://0/", "http://1.2.3/", "http://1.2.3.08/",
    "http://a.example.1/", "http://a.0x1/", "http://127。0。0。1.5/", "http://１２７.1/",
    "http://٣.example.٣/",
    # names that stay inside
    "http://localhost/", "http://LOCALHOST./", "http://foo.localhost/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://printer/", "http://a.local/",
    "http://metadata.google.internal/", "http://router.lan/", "http://x.home.arpa/", "http://x.onion/", "http://x.invalid/",
    "http://kubernetes.default.svc/", "http://kubernetes.default.svc.cluster.local/", "http://x.intranet/",
    # ourselves
    "http://dashboard.example.net/", "https://realm.edge.example.net/", "https://EDGE.example.net./",
]  # fmt: skip


@pytest.mark.parametrize(("text", "rebuilt"), GOOD)
def test_a_url_that_reads_one_way_is_rebuilt(text: str, rebuilt: str) -> None:
    assert parse_url(text, RULES).url == rebuilt


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_a_url_that_could_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(Blocked):
        parse_url(text, RULES)


@pytest.mark.parametrize("text", ["①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.０.０.１"])
def test_characters_that_mean_digits_become_an_address_for_the_judge(text: str) -> None:
    assert parse_host(text, RULES) == "127.0.0.1"


@pytest.mark.parametrize("text", ["localhost", "app.localhost", "web", "db.internal"])
def test_an_installation_that_permits_private_networks_lets_their_names_through(text: str) -> None:
    assert parse_host(text, GateRules(permits_private_names=True)) == text


def test_own_hosts_are_refused_even_then() -> None:
    with pytest.raises(Blocked, match="own address"):
        parse_host("a.edge.example.net", GateRules(own_hosts=["edge.example.net"], permits_private_names=True))


def test_only_named_schemes_and_ports_are_called() -> None:
    rules = GateRules(schemes=["https"], ports=[443, 8443])

    assert parse_url("https://example.com:8443/", rules).endpoint.port == 8443
    for text in ("http://example.com:443/", "https://example.com:25/"):
        with pytest.raises(Blocked):
            parse_url(text, rules)
    with pytest.raises(Blocked, match="port 80"):
        parse_port("80", rules)


def test_an_address_needs_no_brackets_where_a_host_stands_alone() -> None:
    assert parse_host("2606:4700:0::1", RULES) == parse_host("[2606:4700::1]", RULES) == "2606:4700::1"


@given(st.text(max_size=60))
def test_what_gets_through_stays_the_same_when_read_again(text: str) -> None:
    try:
        target = parse_url(f"http://{text}", RULES)
    except Blocked:
        return
    assert target.url.isascii()
    assert parse_url(target.url, RULES) == target
