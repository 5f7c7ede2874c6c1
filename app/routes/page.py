"""The web page at `/` and the API page at `/docs`. They load nothing from other hosts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

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


def static_routes() -> list[BaseRoute]:
    """Returns the routes of the files that the pages load. Those of Swagger UI come from a package
    that is not imported, fastapi-swagger."""
    routes: list[BaseRoute] = []
    found = importlib.util.find_spec("fastapi_swagger")
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "resources"
        routes.append(Mount("/static/swagger", StaticFiles(directory=folder)))
    return [*routes, Mount("/static", StaticFiles(directory=STATIC))]
