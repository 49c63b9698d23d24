"""Static files out of the process itself, under names that carry a hash of the content."""

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

OWN_DIRECTORIES = ("css/", "js/")

Converter = Callable[[re.Match[str]], str]


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # WhiteNoise is untyped
    """Hashed names, also inside the `import` statements and the `url()` of our own scripts and style sheets.

    Those of packages are served as they come: what looks like an import in a minified script need not be one.
    """

    support_js_module_import_aggregation = True

    def url_converter(self, name: str, hashed_files: dict[str, str], template: str | None = None) -> Converter:
        """Return what rewrites one reference found in the file `name`."""
        if not name.startswith(OWN_DIRECTORIES):
            return lambda match: match[0]
        converter: Converter = super().url_converter(name, hashed_files, template)
        return converter


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise is untyped
    """WhiteNoise, answering with whole bodies.

    WhiteNoise streams from an open file with a synchronous iterator, which Django under ASGI consumes at once
    and warns about. Ours are a few kilobytes each.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Answer with the file, or with 304 when the browser has it already."""
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file as file:
                body = file.read()
        response = HttpResponse(body, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response
