"""Reading pretrained weights, from wherever they are."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.errors import ModelError
from pipeline.models.weights import read_state
from pipeline.train.pretrained.download import ALLOWED, PUBLISHED, address, fetched


def read_weights(where: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a file of weights, on the CPU; nothing in the file is executed.

    Parameters
    ----------
    where
        A file (safetensors, or of ``torch.save``, also a trainer's checkpoint), an http or https URL, which may end with
        ``#sha256=HEX``, ``torchvision://NAME`` or ``hf://owner/repository[@revision]/file``. What is fetched is kept in ``pretrained`` of
        the cache folder.

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
        raise ModelError(str(error).replace(f"model.path {path}", f"The file {where if url else path} to start from", 1)) from error
