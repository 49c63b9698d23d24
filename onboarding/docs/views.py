"""Pages of the documentation, its search, and the changelog. A reader with a realm finds it in the examples."""

from dataclasses import dataclass, field

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET

from onboarding.docs.library import Library, render_file
from onboarding.docs.rendering import fill_in
from onboarding.docs.search import MAX_QUERY_CHARACTERS, search
from onboarding.visitors import find_visitors_sandbox
from realms.http import PageRequest
from realms.models import Realm
from realms.roles import Role
from realms.selectors import list_live_keys, list_realms, site_urls
from realms.services import reveal_api_key

MAX_REALMS_OFFERED = 50
#: What most readers come for, before the full lists.
BEGINNINGS = [
    {"name": "api/publish", "title": "Publish", "says": "One HTTP request from any server"},
    {
        "name": "howto/subscribe-in-a-page",
        "title": "Listen in a page",
        "says": "fanout.js, or plain EventSource and WebSocket",
    },
    {"name": "howto/make-tokens", "title": "Choose who may listen", "says": "Tokens that your server signs"},
    {"name": "howto/receive-webhooks", "title": "Be called", "says": "Webhooks, signed and tried again"},
    {"name": "howto/migrate-from-pushpin", "title": "Come from Pushpin", "says": "GRIP, with the libraries you have"},
    {"name": "topics/why", "title": "Find out why", "says": "What became of a message, and what to do"},
]


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose values are in the examples: a realm that the reader may use, or none."""

    realm: Realm | None
    choices: list[Realm]
    values: dict[str, str] = field(repr=False)  # the key is among them


@never_cache
@require_GET
def show_docs(request: HttpRequest) -> HttpResponse:
    """All documents."""
    return render(request, "docs/index.html", {"sections": _library().list_sections(), "beginnings": BEGINNINGS})


@never_cache
@require_GET
def show_document(request: HttpRequest, name: str) -> HttpResponse:
    """One document, with the reader's realm and key in its examples."""
    library = _library()
    document = library.find(name)
    if document is None:
        raise Http404
    reader = _find_reader(request)
    documents = library.list_documents()
    place = [one.name for one in documents].index(name)
    context = {
        "document": document,
        # Cleaned in `render_markdown`; what `fill_in` puts in is escaped there.
        "html": mark_safe(fill_in(document.text.html, reader.values)),  # noqa: S308
        "headings": [heading for heading in document.text.headings if heading.level == 2],
        "sections": library.list_sections(),
        "reader": reader,
        "has_examples": 'class="fill"' in document.text.html,
        "before": documents[place - 1] if place else None,
        "after": documents[place + 1] if place + 1 < len(documents) else None,
    }
    return render(request, "docs/document.html", context)


@never_cache
@require_GET
def search_docs(request: PageRequest) -> HttpResponse:
    """Passages that hold the words asked for."""
    query = request.GET.get("q", "").strip()[:MAX_QUERY_CHARACTERS]
    context = {"query": query, "hits": search(_library().list_documents(), query)}
    template = "docs/_hits.html" if request.htmx and not request.htmx.boosted else "docs/search.html"
    return render(request, template, context)


@cache_control(max_age=3600)
@require_GET
def show_picture(request: HttpRequest, name: str) -> HttpResponse:
    """A picture that documents show."""
    path = _library().find_picture(name)
    if path is None:
        raise Http404
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    response = HttpResponse(path.read_bytes(), content_type=kind)
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@require_GET
def show_changelog(request: HttpRequest) -> HttpResponse:
    """What has changed for users."""
    path = settings.BASE_DIR / "CHANGELOG.md"
    if not path.is_file():
        raise Http404
    text = render_file(path, path.stat().st_mtime_ns)
    return render(request, "docs/changelog.html", {"html": mark_safe(text.html)})  # noqa: S308 - cleaned when rendered


def _library() -> Library:
    return Library(settings.BASE_DIR / "docs")


def _find_reader(request: HttpRequest) -> Reader:
    realm, choices = None, []
    if request.user.is_authenticated:
        usable = [
            one for one in list_realms(request.user)[:MAX_REALMS_OFFERED] if Role(one.role).is_at_least(Role.DEVELOPER)
        ]
        choices = usable
        wanted = request.GET.get("realm")
        realm = next((one for one in usable if one.pk == wanted), usable[0] if usable else None)
    elif (sandbox := find_visitors_sandbox(request.session)) is not None:
        realm = sandbox.realm
    if realm is None:
        return Reader(None, choices, {"url": settings.PUBLIC_URL})
    urls = site_urls(realm)
    key = reveal_api_key(realm=realm, key_id=list_live_keys(realm)[0].pk)
    return Reader(realm, choices, {"url": settings.PUBLIC_URL, "realm": realm.pk, "key": key, "site": urls.path_form})
