"""Storage that is full or away ends a run, and may be there again for the next."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import Unfinished

DISK_FULL_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT))
"""What the system says of a disk that is full."""
OUTAGE_ERRNOS = DISK_FULL_ERRNOS | {
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
}
"""What it says of one that cannot be written any more, or cannot be reached."""


@contextmanager
def outage_as_unfinished(store: object) -> Iterator[None]:
    """Say of which store the storage does not obey, and that the run may go on later; every other error stays as it is.

    Raises
    ------
    Unfinished
        The storage is full or away, or a file of the store vanished while it was in our hands.
    """
    try:
        yield
    except OSError as error:
        if error.errno in OUTAGE_ERRNOS:
            raise Unfinished(
                f"{store} cannot be written ({error.strerror}). Make room, or bring the disk back, and run "
                f"the same command again; committed blocks are kept."
            ) from error
        if isinstance(error, FileNotFoundError) and str(store) in str(error):
            raise Unfinished(
                f"A file of {store} vanished while this run was at work on it ({error}). Another run swept "
                f"it after this one stood still, or somebody moved "
                "or deleted the store. Run the same command again; committed blocks are kept."
            ) from error
        raise
