"""Where a store is: a folder on disk, or a prefix on object storage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SCHEMES = ("s3", "gs", "az")
"""Object storage that a store may be on."""


@dataclass(frozen=True, slots=True, order=True)
class Remote:
    """A place on object storage, named as a path is.

    It holds a name and nothing else, so that it travels to any worker.
    """

    url: str
    """``s3://bucket/prefix/scene.zarr``, without a slash at the end."""

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, key: str) -> Remote:
        return Remote(f"{self.url}/{key}")

    @property
    def scheme(self) -> str:
        """``s3``, ``gs`` or ``az``."""
        return self.url.partition("://")[0]

    @property
    def bucket(self) -> str:
        """The bucket, or container."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def key(self) -> str:
        """What follows the bucket, without slashes at its ends."""
        return self.url.partition("://")[2].partition("/")[2]

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Remote:
        """What it lies in; of a bucket the bucket itself."""
        return Remote(self.url.rpartition("/")[0]) if self.key else self

    def with_name(self, name: str) -> Remote:
        """Another one beside it."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Remote:
        """The one beside it whose name ends otherwise."""
        return self.with_name(f"{self.stem}{suffix}")


Place = Path | Remote
"""Where a store is.

Both have ``name``, ``stem``, ``suffix``, ``parent``, ``with_name``, ``with_suffix`` and ``/``; `files_at` reads and
writes in them.
"""


def parse_place(value: object) -> Place:
    """A place by its path or URL; raises ValueError where no store can be."""
    if isinstance(value, Path | Remote):
        return value
    if not isinstance(value, str):
        raise ValueError("give a path, or s3://bucket/scene.zarr")
    scheme, separator, rest = value.partition("://")
    if not separator:
        return Path(value)
    if scheme not in SCHEMES:
        raise ValueError(
            f"a store lies in a folder or on object storage, {', '.join(f'{name}://…' for name in SCHEMES)}"
        )
    bucket, *parts = [part for part in rest.split("/") if part not in ("", ".")]
    if set("@?#") & set(rest):
        raise ValueError(
            "credentials and options come from the environment, never from the URL; give s3://bucket/scene.zarr alone"
        )
    if not parts or ".." in parts:
        raise ValueError("give a bucket and a name in it, such as s3://bucket/scene.zarr")
    return Remote(f"{scheme}://{'/'.join((bucket, *parts))}")


def state_folder() -> Path:
    """What is remembered of a user: ``$WHOLECLOTH_STATE``, or ``wholecloth`` where the system keeps such files.

    Raises RuntimeError for a user without a home.
    """
    folder = os.environ.get("WHOLECLOTH_STATE")
    if folder:
        return Path(folder)
    from platformdirs import user_state_path

    return user_state_path("wholecloth", appauthor=False)
