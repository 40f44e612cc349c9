"""The server of a page, on the loopback address of this machine alone."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from pipeline.errors import InputError
from pipeline.viewer.access import Access
from pipeline.viewer.app import build_app
from pipeline.viewer.view import StoreView

HOST = "127.0.0.1"
GRACE_S = 2
"""Seconds that answers under way have when the server ends."""


def serve(view: StoreView, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve a page until Ctrl-C.

    Parameters
    ----------
    view
        Of a store.
    port
        On 127.0.0.1; 0 for any that is free.
    browser
        Open the page in a browser, where this machine has a screen.
    say
        Given the link first, then how it is reached from elsewhere.

    Raises
    ------
    InputError
        The port is taken.
    """
    with _listening(port) as listener:
        access, bound = Access(), listener.getsockname()[1]

        def say_new_link() -> None:
            say(f"The link was used before; a new one: {link(access, bound)}")

        config = uvicorn.Config(
            build_app(view, access, say_new_link),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        first_link = link(access, bound)
        for line in (first_link, *_start_text(bound)):
            say(line)
        if browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(first_link,), daemon=True).start()
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:  # how it is meant to end
            return


def link(access: Access, port: int) -> str:
    """The address by which a browser comes in, once."""
    return f"http://{HOST}:{port}/?token={access.token}"


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Port {port} of {HOST} cannot be had ({error}). Give another one with --port, or --port 0 for any that "
            f"is free."
        ) from error


def _start_text(port: int) -> tuple[str, ...]:
    login = f"{_user()}@{socket.gethostname()}"
    return (
        "The link works once, on this machine. Ctrl-C ends the server.",
        f"From another machine: ssh -L {port}:{HOST}:{port} {login}, then open the link there.",
    )


def _user() -> str:
    """Name of the user; a container may know none."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "USER"


def _has_screen() -> bool:
    """Whether a browser can show a page here: without a screen some would take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
