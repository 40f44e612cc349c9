"""Who may ask: browsers that came by the printed link, under a name of this machine."""

from __future__ import annotations

import hmac
import re
import secrets
import threading

_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine: a foreign name may lead here by a server of names that lies."""
    return _LOOPBACK.fullmatch(host) is not None


class Access:
    """The token of the printed link, and the sessions that it opened. Safe from many threads.

    A token is exchanged once. Whoever comes with it again, such as by a second browser, gets nothing; the server then
    prints a new link where only its user reads it.
    """

    def __init__(self) -> None:
        self.cookie = f"wholecloth_{secrets.token_hex(4)}"
        """Name of the cookie: browsers do not tell servers on several ports of one machine apart."""
        self._token = secrets.token_urlsafe(32)
        self._used: list[str] = []
        self._sessions: list[str] = []
        self._lock = threading.Lock()

    @property
    def token(self) -> str:
        """The token that has not been exchanged yet."""
        return self._token

    def exchange(self, token: str) -> str | None:
        """A new session for the token of the link; None for any other."""
        with self._lock:
            if not _equal(token, self._token):
                return None
            self._used.append(self._token)
            self._token = secrets.token_urlsafe(32)
            self._sessions.append(secrets.token_urlsafe(32))
            return self._sessions[-1]

    def is_used(self, token: str) -> bool:
        """Whether a token was exchanged before."""
        return _is_among(token, self._used)

    def is_session(self, value: str) -> bool:
        """Whether a cookie holds a session."""
        return _is_among(value, self._sessions)


def _is_among(value: str, others: list[str]) -> bool:
    return sum(_equal(value, other) for other in others) > 0


def _equal(first: str, second: str) -> bool:
    """Compare in constant time, so that no wrong token shows how far it is right."""
    return hmac.compare_digest(first.encode(), second.encode())
