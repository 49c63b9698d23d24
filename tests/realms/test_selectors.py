"""Where a realm is reached."""

from urllib.parse import parse_qs, urlsplit

from pytest_django.fixtures import Settings

from realms.models import Realm
from realms.selectors import site_urls


def test_a_realm_has_a_path_form_a_host_form_and_an_api(settings: Settings):
    settings.PUBLIC_URL = "https://fanout.example.com"
    settings.EDGE_DOMAIN = "sites.example.net"

    urls = site_urls(Realm(id="0a1b2c3d"))

    assert urls.path_form == "https://fanout.example.com/r/0a1b2c3d"
    assert urls.host_form == "https://0a1b2c3d.sites.example.net"
    assert urls.api == "https://fanout.example.com/realm/0a1b2c3d"


def test_a_grip_url_gives_back_the_realm_and_the_key(settings: Settings):
    settings.PUBLIC_URL = "http://localhost:8000"
    secret = "+/aV8lfnmUjqvVGUKGDDZUtjmgqoLQ3Bj4dXHO9ss+Q="  # not in use anywhere

    url = site_urls(Realm(id="0a1b2c3d")).grip_url(secret)

    assert url.startswith("http://localhost:8000/realm/0a1b2c3d?")
    assert "%2B%2FaV8lf" in url
    assert parse_qs(urlsplit(url).query) == {"iss": ["0a1b2c3d"], "key": [f"base64:{secret}"]}
