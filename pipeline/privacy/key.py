"""The secret by which names are hashed: it lies with the user, and never in a store."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.locations import state_folder

KEY_VARIABLE = "WHOLECLOTH_REDACT_KEY"
KEY_FILE = "redact.key"
"""In the folder of what the program remembers of a user."""
MIN_KEY_LENGTH = 32
"""Characters of a key that is given: fewer could be guessed."""


def redaction_key() -> bytes:
    """The secret of this user.

    Taken from ``$WHOLECLOTH_REDACT_KEY``, else from a file of the user, which is made with a random key once. Where
    that file cannot be made, the key is random and ends with the process: two runs then give two stand-ins.

    Raises
    ------
    ConfigError
        The variable holds too short a key, or the file holds none.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is None:
        return _users_key()
    if len(given) < MIN_KEY_LENGTH:
        raise ConfigError(
            f"{KEY_VARIABLE} holds {len(given)} characters, and whoever has a store could guess so short a key. Give "
            f"at least {MIN_KEY_LENGTH} random ones, such as `openssl rand -hex 32` prints."
        )
    return given.encode()


@cache
def _users_key() -> bytes:
    """Kept for the process: a key that could not be written stays the same in it."""
    try:
        return _read_or_make(state_folder() / KEY_FILE)
    except (OSError, RuntimeError):  # a user without a home raises the second
        return secrets.token_bytes(MIN_KEY_LENGTH)


def _read_or_make(file: Path) -> bytes:
    """The key in a file; of several processes that make it at once, one wins, and all read its key."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
        partial.write_text(secrets.token_hex(MIN_KEY_LENGTH))
        partial.chmod(0o600)
        with suppress(FileExistsError):
            os.link(partial, file)
        partial.unlink()
    key = file.read_bytes().strip()
    if len(key) < MIN_KEY_LENGTH:
        raise ConfigError(
            f"{file} holds {len(key)} characters, which are no key of output.redact. Delete the file, and another is "
            f"made, or set {KEY_VARIABLE}."
        )
    return key
