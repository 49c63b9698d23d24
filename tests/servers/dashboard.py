"""A person at the dashboard of a running product, without a browser: forms are filled in and sent."""

import re
from types import TracebackType

import httpx

from tests.factories import PASSWORD

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_CHALLENGE = re.compile(r"fanout-challenge/([0-9a-f]{32})")
_REALM = re.compile(r"/realms/([0-9a-f]{8})/")


class Dashboard:
    """One session. Use as a context manager."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, verify=False, follow_redirects=True, timeout=20)

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser would send along."""
        return dict(self._client.cookies)

    def read(self, path: str, **query: str) -> str:
        """Return a page, whatever its status is."""
        return self._client.get(path, params=query).text

    def sign_up(self, email: str) -> str:
        """Sign up; return the realm that came with it."""
        return self._realm_of(self._send("/accounts/signup/", email=email, password1=PASSWORD))

    def add_realm(self) -> str:
        """Add a realm; return its id."""
        return self._realm_of(self._send("/realms/add/", form="/realms/"))

    def delete_realm(self, realm: str) -> None:
        """Delete a realm, confirming it by its id."""
        self._send(f"/realms/{realm}/delete/", confirmation=realm)

    def add_domain(self, realm: str, name: str) -> None:
        """Claim a name for the realm."""
        self._send(f"/realms/{realm}/domains/add/", form=f"/realms/{realm}/domains/", name=name)

    def challenge_of(self, realm: str, name: str) -> str:
        """Return the text that proves the realm's claim."""
        page = self._client.get(f"/realms/{realm}/domains/{name}/").text
        found = _CHALLENGE.search(page)
        assert found is not None
        return found[1]

    def check_domain(self, realm: str, name: str) -> None:
        """Have the proof looked for."""
        page = f"/realms/{realm}/domains/{name}/"
        self._send(f"{page}check/", form=page)

    def set_origins(self, realm: str, name: str, *origins: str) -> None:
        """Set the servers of a domain, `default` being the built-in one."""
        page = f"/realms/{realm}/domains/{name}/"
        fields = {"origins": "\n".join(origins), "sockets": "http", "host": "client", "forwarded_keep": "0"}
        self._send(f"{page}settings/", form=page, **fields)

    def remove_domain(self, realm: str, name: str) -> None:
        """Give the name up."""
        page = f"/realms/{realm}/domains/{name}/"
        self._send(f"{page}remove/", form=page)

    def push_line(self, realm: str, channel: str, line: str) -> None:
        """Publish a line for held streams, with the realm's key from the quick start."""
        page = self._client.get(f"/realms/{realm}/start/app/").text
        found = re.search(rf"{realm}:([A-Za-z0-9+/=]{{40,}})", page)
        assert found is not None, "the page shows no key"
        body = {"items": [{"channel": channel, "http-stream": {"content": line}}]}
        answer = self._client.post(f"/realm/{realm}/publish/", json=body, auth=(realm, found[1]))
        assert answer.status_code == 200, answer.text

    def _send(self, path: str, *, form: str | None = None, **fields: str) -> httpx.Response:
        page = self._client.get(form or path)
        token = _TOKEN.search(page.text)
        assert token is not None, f"{page.status_code} at {form or path}: {page.text[:500]}"
        answer = self._client.post(
            path, data={"csrfmiddlewaretoken": token[1], **fields}, headers={"referer": str(page.url)}
        )
        assert answer.status_code == 200, f"{answer.status_code} at {path}: {answer.text[:2000]}"
        return answer

    def _realm_of(self, answer: httpx.Response) -> str:
        found = _REALM.search(str(answer.url)) or _REALM.search(answer.text)
        assert found is not None, f"no realm at {answer.url}"
        return found[1]
