"""A person at the dashboard of a running product, without a browser: forms are filled in and sent."""

import re
from types import TracebackType

import httpx

from tests.factories import PASSWORD

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
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

    def sign_up(self, email: str) -> str:
        """Sign up; return the realm that came with it."""
        return self._realm_of(self._send("/accounts/signup/", email=email, password1=PASSWORD))

    def add_realm(self) -> str:
        """Add a realm; return its id."""
        return self._realm_of(self._send("/realms/add/", form="/realms/"))

    def delete_realm(self, realm: str) -> None:
        """Delete a realm, confirming it by its id."""
        self._send(f"/realms/{realm}/delete/", confirmation=realm)

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
