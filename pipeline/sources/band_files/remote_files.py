"""Files of a scene on object storage: listed, read whole, or read as a file by ranges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pipeline.errors import SourceError, StoreError
from pipeline.locations import SCHEMES, Remote
from pipeline.redact import mask_urls
from pipeline.store.files import files_at
from pipeline.store.files.range_reader import open_remote


def product_place(path: str) -> Remote:
    """Where a product lies. Raises SourceError where products are not listed there."""
    if path.partition("://")[0] in SCHEMES:
        return Remote(path)
    raise SourceError(
        f"source.path is {mask_urls(path)}, where the files of a product cannot be listed. Products may lie on disk, "
        f"or at s3://, gs:// and az://; elsewhere give a template such as https://host/B{{band}}.tif or a mapping."
    )


def remote_names(place: Remote) -> tuple[str, ...]:
    """Names below a prefix, relative and sorted. Raises SourceError where it cannot be listed."""
    with _as_source_error(place):
        return tuple(sorted(files_at(place).list()))


def read_remote(place: Remote) -> bytes:
    """All bytes of a small object. Raises SourceError where it cannot be read."""
    with _as_source_error(place):
        data = files_at(place.parent).get(place.name)
        if data is None:
            raise FileNotFoundError(str(place))
        return data


@contextmanager
def open_archive(place: Remote) -> Iterator[BinaryIO]:
    """An archive that is read by ranges. Raises SourceError where it cannot be read."""
    with _as_source_error(place), open_remote(place) as file:
        yield file


@contextmanager
def _as_source_error(place: Remote) -> Iterator[None]:
    """A source that cannot be read is no store that cannot."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"source.path is {mask_urls(str(place))}, which does not exist.") from error
    except StoreError as error:
        raise SourceError(f"source.path is {mask_urls(str(place))}. {error}") from error
