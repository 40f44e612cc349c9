import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import Unfinished
from pipeline.store.files.outage import OUTAGE_ERRNOS, outage_as_unfinished

STORE = Path("/data/a.zarr")


@pytest.mark.parametrize("number", sorted(OUTAGE_ERRNOS))
def test_a_disk_that_is_full_or_away_can_be_tried_again(number: int) -> None:
    with (
        pytest.raises(Unfinished, match=r"/data/a\.zarr cannot be written.*run the same command again"),
        outage_as_unfinished(STORE),
    ):
        raise OSError(number, os.strerror(number))


def test_a_file_of_the_store_that_vanished_was_taken_by_somebody() -> None:
    with pytest.raises(Unfinished, match=r"vanished.*Another run"), outage_as_unfinished(STORE):
        raise FileNotFoundError(
            errno.ENOENT, "No such file or directory", str(STORE / "0" / "mask" / "c" / "0.partial")
        )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/weights/a.pt"),
        ValueError("x"),
    ],
)
def test_everything_else_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), outage_as_unfinished(STORE):
        raise error
