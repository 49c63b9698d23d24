"""The page of one channel, and what search engines are told."""

from urllib.parse import quote

import pytest
from django.test import Client


def test_the_page_names_its_realm_and_channel_and_is_for_no_index(client: Client, db: None):
    response = client.get("/s/0a1b2c3d/orders/eu/")

    page = response.content.decode()
    assert response.status_code == 200
    assert 'data-realm="0a1b2c3d"' in page
    assert 'data-channel="orders/eu"' in page
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in page


def test_a_realm_that_is_not_there_looks_like_one_that_is(client: Client, db: None):
    assert client.get("/s/nosuch/hello/").status_code == 200


@pytest.mark.parametrize("path", ["/s/a b/hello/", "/s/a.b/hello/", "/s/a/%0a/", f"/s/a/{'x' * 600}/"])
def test_what_no_realm_or_channel_can_be_called_is_missing(client: Client, db: None, path: str):
    assert client.get(path).status_code == 404


def test_a_channels_name_stays_text(client: Client, db: None):
    page = client.get(f"/s/0a1b2c3d/{quote('<script>')}/").content.decode()

    assert "<script>/" not in page
    assert 'data-channel="&lt;script&gt;"' in page


def test_search_engines_are_kept_out_of_realms(client: Client):
    response = client.get("/robots.txt")

    assert response["Content-Type"].startswith("text/plain")
    for path in ("/r/", "/s/", "/realms/", "/keep/", "/sandbox/"):
        assert f"Disallow: {path}\n" in response.content.decode()
