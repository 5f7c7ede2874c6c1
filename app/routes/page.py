"""The web page at `/` and the API page at `/docs`. They load nothing from other hosts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent.parent / "static"

#: Content-Security-Policy of the pages. Swagger UI has inline styles and images.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """Returns the web page."""
    return _file("index.html", styles="")


@router.get("/docs")
async def docs() -> FileResponse:
    """Returns the API page."""
    return _file("docs.html", styles=" 'unsafe-inline'")


def _file(name: str, *, styles: str) -> FileResponse:
    policy = _POLICY.format(styles=styles)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return FileResponse(STATIC / name, headers=headers)


class _RevalidatedFiles(StaticFiles):
    """Files of which browsers ask whether they have changed. Otherwise, after an update, they would
    use old ones beside new ones for a tenth of their age."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_routes() -> list[BaseRoute]:
    """Returns the routes of the files that the pages load. Those of Swagger UI come from a package
    that is not imported, fastapi-swagger."""
    routes: list[BaseRoute] = []
    found = importlib.util.find_spec("fastapi_swagger")
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "resources"
        routes.append(Mount("/static/swagger", _RevalidatedFiles(directory=folder)))
    return [*routes, Mount("/static", _RevalidatedFiles(directory=STATIC))]
