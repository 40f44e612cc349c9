"""Files of model repositories, by ``hf://owner/repository/file@revision``: the form alone, without a network."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Self

HUB_SCHEME = "hf://"
HUB_FORM = "hf://owner/repository/file@revision"
FOLDER_DOCUMENT = "config.json"
"""The file that is meant where an address names a repository and a revision alone: what save_pretrained wrote."""
MAIN = "main"
"""The branch that is meant where no revision is given."""
COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = r"[A-Za-z0-9_][\w.-]*"
_ADDRESS = re.compile(
    rf"hf://(?P<repository>{_NAME}/{_NAME})(?:@(?P<first>[^\s@#/]+))?(?:/(?P<file>[^@#\\]+)"
    r"(?:@(?P<last>[^\s@#]+))?)?(?:#commit=(?P<pin>[0-9a-f]{40}))?"
)
OTHER_REPOSITORIES = ("datasets", "spaces", "buckets")
"""Beginnings of addresses of repositories that are not of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of a model repository at a revision."""

    repository: str
    """``owner/name``."""
    file: str
    """Its path in the repository."""
    revision: str = MAIN
    """A branch, a tag or a commit."""
    pin: str | None = None
    """The commit at which a branch or a tag stood when it was resolved."""

    @property
    def commit(self) -> str | None:
        """The commit that is meant; None where a branch or a tag is still to be resolved."""
        return self.revision if COMMIT.fullmatch(self.revision) else self.pin

    def at(self, commit: str) -> Self:
        """The same file at a commit, with its branch or tag for the record."""
        return replace(self, pin=None if commit == self.revision else commit)

    def has_same_name(self, other: HubFile) -> bool:
        """Whether repository, file and revision are alike, whatever the commit."""
        return (self.repository, self.file, self.revision) == (other.repository, other.file, other.revision)

    def __str__(self) -> str:
        """The address, with its revision and, where a branch or tag was resolved, its commit."""
        pin = "" if self.pin is None else f"#commit={self.pin}"
        return f"{HUB_SCHEME}{self.repository}/{self.file}@{self.revision}{pin}"


def hub_file(address: str) -> HubFile:
    """The file that an address names.

    Parameters
    ----------
    address
        ``hf://owner/repository/file``, with ``@revision`` after the file or the repository, and ``#commit=`` of a
        branch or tag that was resolved. ``hf://owner/repository@revision`` is the folder's ``config.json``.

    Raises
    ------
    ValueError
        It has another form.
    """
    match = _ADDRESS.fullmatch(address)
    name = None if match is None else match["file"] or (match["first"] and FOLDER_DOCUMENT)
    if match is None or name is None or (match["first"] and match["last"]) or {"..", "."} & set(name.split("/")):
        raise ValueError(
            f"a file of a model repository is named as {HUB_FORM}, such as hf://owner/nets/unet.onnx@v1.0, and a "
            f"folder of save_pretrained as hf://owner/nets@v1.0"
        )
    if match["repository"].partition("/")[0] in OTHER_REPOSITORIES:
        raise ValueError(f"networks are read from model repositories alone, named as {HUB_FORM}")
    revision = match["first"] or match["last"] or MAIN
    return HubFile(
        repository=match["repository"],
        file=PurePosixPath(name).as_posix(),
        revision=revision,
        pin=None if COMMIT.fullmatch(revision) else match["pin"],
    )
