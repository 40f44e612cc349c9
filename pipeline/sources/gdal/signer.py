"""``source.sign``: the user's callable that signs addresses of files, called anew before a signature ends.

A signature stays in the process that asked for it: sources travel with the callable's name alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pipeline.errors import SourceError
from pipeline.redact import mask_urls
from pipeline.runtime.import_faults import USERS
from pipeline.sources.gdal.expiry import expiry_of
from pipeline.sources.wrappers import process_singleton

MARGIN_S = 60.0
"""Seconds before the end of a signature when it is made anew; a quarter of its time where that is less."""
SignFunction = Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An address as it is asked for."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with each request, such as Authorization."""
    fresh_until: float | None = field(default=None, compare=False)
    """Seconds since the epoch from which it is made anew; None where its end is not known."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A callable by its name, and what it signed in this process. Safe from many threads; pickles as the name."""

    name: str
    """``file.py:callable`` or ``package.module:callable``, anchored."""
    _signed: dict[str, Signed] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return signer_named, (self.name,)

    def signed(self, href: str) -> Signed:
        """An address signed, by one call at a time; as it was signed before while that holds.

        Raises
        ------
        SourceError
            The callable fails, or returns something else than an address.
        """
        with self._lock:
            signed = self._signed.get(href)
            if signed is None or (signed.fresh_until is not None and signed.fresh_until <= time.time()):
                signed = self._signed[href] = self._sign(href)
            return signed

    def renew(self, href: str, stale: Signed) -> None:
        """Forget a signature that was refused, unless it was made anew meanwhile."""
        with self._lock:
            if self._signed.get(href) == stale:
                del self._signed[href]

    def _sign(self, href: str) -> Signed:
        function = _function(self.name)
        try:
            answer = function(href)
        except Exception as error:  # the user's code may raise anything, with secrets in its text
            raise SourceError(
                f"source.sign is {self.name}, which failed with {type(error).__name__} on {mask_urls(href)}. Call it "
                f"by itself to see why."
            ) from None
        return _checked(self.name, answer)


def signer_named(name: str) -> Signer:
    """The one signer of that name in this process."""
    return cast(Signer, process_singleton.get_or_create(Signer, name, {}))


def _checked(name: str, answer: Any) -> Signed:
    """What a callable returned: an address, or a mapping of href, headers and expires."""
    parts = answer if isinstance(answer, Mapping) else {"href": answer}
    url, headers = parts.get("href"), parts.get("headers") or {}
    plain = isinstance(url, str) and url.startswith(("https://", "http://", "s3://", "gs://", "az://"))
    if not plain or not isinstance(headers, Mapping):
        raise SourceError(
            f"source.sign is {name}, which returned {type(answer).__name__} that is no address. Return the signed "
            f"address (https://…), or {{'href': …, 'headers': {{…}}, 'expires': seconds since 1970}}."
        )
    expires = parts.get("expires")
    return Signed(
        url=str(url),
        headers=tuple(sorted((str(key), str(value)) for key, value in headers.items())),
        fresh_until=_fresh_until(expiry_of(str(url)) if expires is None else _seconds(expires)),
    )


def _seconds(expires: Any) -> float:
    """Seconds since the epoch of a number or a datetime."""
    return float(expires.timestamp()) if hasattr(expires, "timestamp") else float(expires)


def _fresh_until(expires: float | None) -> float | None:
    return None if expires is None else expires - min(MARGIN_S, max(expires - time.time(), 0) / 4)


def _function(place: str) -> SignFunction:
    """Import the callable. Raises SourceError."""
    where, _, name = place.rpartition(":")
    try:
        module = _module_of_file(Path(where)) if where.endswith(".py") else _module(where)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise SourceError(
            f"source.sign is {place}, which cannot be imported ({type(error).__name__}: {error}). Give "
            f"file.py:callable or package.module:callable."
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise SourceError(f"source.sign is {place}, but {where} has no callable {name}. Name a function of that file.")
    return cast(SignFunction, function)


def _module_of_file(file: Path) -> Any:
    """The module of a file, imported once."""
    name = f"{USERS}sign_{abs(hash(str(file)))}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is no Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def _module(place: str) -> Any:
    """``package.module``, or ``folder/package.module``."""
    folder, _, module = place.rpartition("/")
    with _first_on_path(folder):
        return importlib.import_module(module)


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    if not folder:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
