"""Serve the softphone page at the root, and the JavaScript client under /web/ for pages anywhere."""

from pathlib import Path

from aiohttp import web

from signaling.rest import not_found

FOLDER = Path(__file__).parent / "web"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".json": "application/json",
}
# Whatever a name or message says, nothing but our own files is run.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
    "worker-src blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Page:
    """The files of the page, read anew by each request; only those that were there at the start.

    `authority` is the certificate (DER) that browsers of a LAN may be told to trust, under /ca.crt.
    """

    def __init__(self, authority: bytes | None = None) -> None:
        self._authority = authority
        found = (path for path in sorted(FOLDER.rglob("*")) if path.suffix in _TYPES)
        self._files = {path.relative_to(FOLDER).as_posix(): path for path in found}

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.get("/", self.index),
            web.get("/web/{path:.+}", self.file),
            web.get("/ca.crt", self.certificate),
        ]

    async def index(self, _: web.Request) -> web.StreamResponse:
        """Return the softphone page."""
        policy = {"Content-Security-Policy": _POLICY, "Permissions-Policy": "microphone=(self)"}
        return self._respond("index.html", policy)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return one file; any page may import the client, its calls are checked by origin and token."""
        return self._respond(request.match_info["path"], {"Access-Control-Allow-Origin": "*"})

    async def certificate(self, _: web.Request) -> web.StreamResponse:
        """Return the authority's certificate, for devices to install."""
        if self._authority is None:
            raise not_found()
        return web.Response(body=self._authority, content_type="application/x-x509-ca-cert", headers=_HEADERS)

    def _respond(self, name: str, headers: dict[str, str]) -> web.StreamResponse:
        path = self._files.get(name)
        if path is None:
            raise not_found()
        kind = f"{_TYPES[path.suffix]}; charset=utf-8"
        return web.FileResponse(path, headers=_HEADERS | headers | {"Content-Type": kind})
