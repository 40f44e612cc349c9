"""Weights from elsewhere, kept in the cache and read.

URLs, torchvision's published files, files of a Hugging Face repository.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import torch

from pipeline.config.hub_address import hub_file
from pipeline.errors import ModelError
from pipeline.models.weights import read_state, sha256
from pipeline.runtime.resources import cache_folder

PUBLISHED = {
    "vgg16": "vgg16-397923af.pth",
    "vgg16_bn": "vgg16_bn-6c64b313.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "fcn_resnet50_coco": "fcn_resnet50_coco-1167a1af.pth",
    "fcn_resnet101_coco": "fcn_resnet101_coco-7ecb50ca.pth",
}
"""Torchvision's files: the first weights of each, by their names, which end with the beginning of their SHA-256."""
TORCHVISION = "https://download.pytorch.org/models"
HUGGING_FACE = "https://huggingface.co"
ALLOWED = f"Give a file, an http or https URL, torchvision://NAME with one of {', '.join(PUBLISHED)}, or hf://owner/repository/file@revision."
TIMEOUT = 30
"""Seconds that a server may be silent."""


def address(where: str) -> str | None:
    """The URL of what is not a local file, with ``#sha256=`` and the beginning of its hash where that is known.

    None for a file.

    Raises
    ------
    ModelError
        The name or the scheme is unknown.
    """
    scheme, separator, rest = where.partition("://")
    if not separator:
        return None
    if scheme in ("http", "https"):
        return where
    if scheme == "torchvision" and rest in PUBLISHED:
        name = PUBLISHED[rest]
        return f"{TORCHVISION}/{name}#sha256={name.rpartition('-')[2].partition('.')[0]}"
    if scheme == "hf":
        return _hub_url(where)
    raise ModelError(f"{where} is not known. {ALLOWED}")


def _hub_url(where: str) -> str:
    """The URL of a file of a model repository; raises ModelError where the address has another form."""
    try:
        file = hub_file(where)
    except ValueError as error:
        raise ModelError(f"{where} is not known. {ALLOWED}") from error
    return f"{HUGGING_FACE}/{file.repository}/resolve/{quote(file.commit or file.revision, safe='')}/{quote(file.file)}"


def fetched(url: str) -> Path:
    """The file at a URL, from the cache if it is there and sound.

    Raises
    ------
    ModelError
        It cannot be fetched, is cut short, or has another hash than the URL says.
    """
    base_url, _, fragment = url.partition("#")
    digest = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else ""
    path = (
        cache_folder()
        / "pretrained"
        / f"{hashlib.sha256(base_url.encode()).hexdigest()[:12]}-{unquote(urlsplit(base_url).path).rpartition('/')[2]}"
    )
    if path.is_file() and sha256(path).startswith(digest):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        _download(base_url, partial)
        if not (actual := sha256(partial)).startswith(digest):
            raise ModelError(
                f"{base_url} has the SHA-256 {actual}, and {digest} was expected. Something else came; "
                f"download it by hand and give its path."
            )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _download(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as file:  # noqa: S310  # address() lets only http and https through
            shutil.copyfileobj(answer, file, 2**20)
            size = answer.headers.get("Content-Length")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ModelError(
            f"{url} cannot be fetched ({type(error).__name__}: {error}). Where there is no network, "
            f"download it elsewhere and give the file's path instead."
        ) from error
    if size is not None and path.stat().st_size != int(size):
        raise ModelError(
            f"{url} was cut short: {path.stat().st_size} of {size} bytes came. Try again, or download it "
            f"otherwise and give the file's path."
        )


def read_weights(where: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a file of weights, on the CPU; nothing in the file is executed.

    Parameters
    ----------
    where
        A file (safetensors, or of ``torch.save``, also a trainer's checkpoint), an http or https URL, which may end
        with ``#sha256=HEX``, ``torchvision://NAME`` or ``hf://owner/repository/file@revision``. What is fetched is
        kept in ``pretrained`` of the cache folder.

    Raises
    ------
    ModelError
        There is no such file or name, it cannot be fetched, or it holds no state dict.
    """
    url = address(where) if isinstance(where, str) else None
    path = fetched(url) if url else Path(where)
    if not path.is_file():
        hint = f"Perhaps torchvision://{where} is meant. " if str(where) in PUBLISHED else ""
        raise ModelError(f"There is no file {where} to start from. {hint}{ALLOWED}")
    try:
        return read_state(path)
    except ModelError as error:  # it speaks of model.path, which may be right and another file
        if url:
            path.unlink()  # a page that says "log in", perhaps; the next try must not find it
        raise ModelError(
            str(error).replace(f"model.path {path}", f"The file {where if url else path} to start from", 1)
        ) from error
