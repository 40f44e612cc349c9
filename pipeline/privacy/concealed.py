"""Names that no message of this process holds, and the texts without them.

A config with `output.redact` registers the names of its files when it is read. Each raster that is opened from then on
adds the files that it is made of, since errors of readers name those. A text on its way out is looked through once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePath
from typing import Any

from pipeline.privacy.stand_in import PUBLIC_PREFIXES, stand_in
from pipeline.redact import redacted, redacted_document

MIN_BEGINNING = 3
"""Characters of what files of a glob begin with; fewer begin too much else."""

_paths: dict[str, str] = {}
"""Whole paths, with their stand-ins."""
_beginnings: dict[str, str] = {}
"""What paths begin with: those of a template, and those that advice makes of a name by another ending."""
_names: dict[str, str] = {}
"""Names of files alone, and other texts, with their stand-ins."""
_shown: set[str] = set()
"""Paths that are shown, whatever they begin with: those of outputs."""
_REST_OF_PATH = r"(?:[^\s'\"<>]*[\w/])?"


def conceal(names: Iterable[str], shown: Iterable[str] = ()) -> None:
    """Keep names out of every text of this process from now on.

    Parameters
    ----------
    names
        Paths, URLs, and other texts.
    shown
        Paths that the user chose for outputs: they and what lies in them are shown.
    """
    _shown.update(shown)
    for name in names:
        if name and not name.startswith(PUBLIC_PREFIXES):
            _register(name)
    _pattern.cache_clear()


def conceal_opened(files: Iterable[str]) -> None:
    """Keep the files of a raster or of polygons out of every text, where this process conceals any name."""
    if is_concealing():
        conceal(files)


def is_concealing() -> bool:
    """Whether any name is concealed in this process."""
    return any(_tables().values())


def concealed(text: str) -> str:
    """A text with stand-ins for all concealed names; a name is met whole, never within another word."""
    pattern = _pattern()
    return text if pattern is None else pattern.sub(_replacement, text)


def safe_text(text: str) -> str:
    """A text as others may see it: without concealed names, and without the secrets of URLs."""
    return concealed(redacted(text))


def safe_document(document: Any) -> Any:
    """A document of plain values with every text in it `safe_text`."""
    return _concealed_document(redacted_document(document)) if is_concealing() else redacted_document(document)


def _register(name: str) -> None:
    token = stand_in(name)
    if pattern := re.search(r"[{*?\[]", (name.partition("://")[2] and name.partition("?")[0]) or name):
        _beginnings.setdefault(name[: pattern.start()], token)
        return
    if "/" not in name and os.sep not in name and not os.path.exists(name):
        _names.setdefault(name, token)
        return
    for path in {name, redacted(name), name.partition("?")[0], os.path.realpath(name)}:
        _paths.setdefault(path.rstrip("/"), token)
        ending = PurePath(path).suffix
        beginning = path.removesuffix(ending[1:])
        if ending and not any(place.startswith(beginning) for place in _shown):
            _beginnings.setdefault(beginning, token)
    if PurePath(name).suffix:
        _names.setdefault(PurePath(name).name, token)


@cache
def _pattern() -> re.Pattern[str] | None:
    """Every concealed name, the longest first; a path goes with what follows it up to a space or a quote."""
    if not is_concealing():
        return None
    shown = "".join(f"(?!{re.escape(path)})" for path in sorted(_shown))
    before = {"path": shown, "beginning": shown, "name": r"(?<![\w.-])"}
    after = {"path": rf"(?!\w){_REST_OF_PATH}", "beginning": _REST_OF_PATH, "name": r"(?!\w)"}
    return re.compile(
        "|".join(
            f"{before[name]}(?P<{name}>{_any_of(table)}){after[name]}" for name, table in _tables().items() if table
        )
    )


def _tables() -> dict[str, dict[str, str]]:
    """By the group of the pattern that meets them."""
    return {"path": _paths, "beginning": _beginnings, "name": _names}


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _replacement(match: re.Match[str]) -> str:
    group = match.lastgroup or ""
    return _tables()[group][match[group]]


def _concealed_document(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _concealed_document(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_concealed_document(value) for value in document]
    return concealed(str(document)) if isinstance(document, str | os.PathLike) else document
