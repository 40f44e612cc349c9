"""What stands before every answer: the checks of host, method and session, and the headers of safety."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from pipeline.viewer.access import Access, is_loopback_host

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFETY_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_CLOSED = "This page opens by the link that `wholecloth view` printed. Copy the whole link from its terminal.\n"
_USED = "This link was used before, and works once. The terminal of `wholecloth view` shows a new one.\n"


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, access: Access, on_used_link: Callable[[], None]) -> None:
        self.app = app
        self.access = access
        self.on_used_link = on_used_link
        """Called where a link comes that was exchanged before."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFETY_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope)
        await (self._refusal(request) or self.app)(scope, receive, send_safely)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered instead of the page; None where the page may answer."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not is_loopback_host(hosts[0]):
            return PlainTextResponse("Open this page as 127.0.0.1 or localhost.\n", status_code=403)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("This server only shows.\n", status_code=405)
        token = request.query_params.get("token")
        if token is not None and request.url.path == "/" and request.method == "GET":
            return self._entry(request, token)
        if not self.access.is_session(request.cookies.get(self.access.cookie, "")):
            return PlainTextResponse(_CLOSED, status_code=403)
        return None

    def _entry(self, request: Request, token: str) -> Response:
        """Exchange a link for a cookie, and lead to the address without the token."""
        response = RedirectResponse("/", status_code=303)
        if self.access.is_session(request.cookies.get(self.access.cookie, "")):
            return response
        session = self.access.exchange(token)
        if session is not None:
            response.set_cookie(self.access.cookie, session, httponly=True, samesite="strict")
            return response
        if self.access.is_used(token):
            self.on_used_link()
            return PlainTextResponse(_USED, status_code=403)
        return PlainTextResponse(_CLOSED, status_code=403)
