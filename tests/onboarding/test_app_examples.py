"""The examples for web frameworks: short, without a secret, and the one that can be run here runs."""

import sys
from types import ModuleType

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from onboarding.app_examples import build_app_examples


def test_each_is_short_and_names_the_channel():
    examples = build_app_examples(channel="news")

    assert [example.slug for example in examples] == ["django", "flask", "express", "laravel", "rails"]
    for example in examples:
        assert "news" in example.text
        assert "{" not in example.text.replace("{ ", "").replace("{\n", "") or example.slug in ("flask", "express")
        assert len(example.text.splitlines()) <= 13
        assert "base64:" not in example.text


def test_the_one_for_flask_says_what_grip_wants(monkeypatch: pytest.MonkeyPatch):
    views = {}

    class Flask:
        def __init__(self, name: str) -> None: ...

        def get(self, path: str):
            return lambda view: views.setdefault(path, view)

        def run(self, port: int) -> None:
            views["port"] = port

    module = ModuleType("flask")
    module.Flask = Flask  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flask", module)
    text = next(example.text for example in build_app_examples(channel="news") if example.slug == "flask")
    exec(text, {"__name__": "app"})

    body, status, headers = views["/hello"]()
    assert (body, status, views["port"]) == ("Connected\n", 200, 3000)
    assert (headers["Grip-Hold"], headers["Grip-Channel"]) == ("stream", "news")


def test_the_one_for_django_runs_with_django_grip(settings, created):
    from django_grip import GripMiddleware

    text = next(example.text for example in build_app_examples(channel="news") if example.slug == "django")
    scope: dict[str, object] = {}
    exec(text[text.index("from django.http") :], scope)
    settings.GRIP_URL = "http://localhost/realm/x?iss=x&key=base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    settings.GRIP_PROXY_REQUIRED = False

    middleware = GripMiddleware(lambda request: scope["hello"](request))  # type: ignore[operator]
    response: HttpResponse = middleware(RequestFactory().get("/hello", headers={"Grip-Sig": _signed()}))

    assert response.headers["Grip-Hold"] == "stream"
    assert response.headers["Grip-Channel"] == "news"


def _signed() -> str:
    import jwt

    return jwt.encode({"iss": "x", "exp": 4_102_444_800}, bytes(range(32)), algorithm="HS256")
