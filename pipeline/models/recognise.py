"""What a file holds, whatever its name says, so that a wrong ``model.kind`` is answered with the right one."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline.errors import ModelError

TORCHSCRIPT = "a TorchScript network"
EXPORTED = "an exported program"
SAVED = "a file of torch.save (a state dict, or a pickled network)"
SAFETENSORS = "a safetensors file"
ONNX = "an ONNX network"
EMPTY = "an empty file"
POINTER = "a Git LFS pointer in the place of the file"
UNKNOWN = "something that torch does not write, or a part of it"

REMEDIES = {
    TORCHSCRIPT: "Set model.kind: torchscript.",
    EXPORTED: "Set model.kind: exported.",
    SAVED: "For a state dict, set model.kind: smp with model.arch, or model.kind: python with a factory that builds the network.",
    SAFETENSORS: "A file of ours says its own kind; for another's, set model.kind: python with a factory that builds the network.",
    ONNX: "Set model.kind: onnx.",
    POINTER: "Fetch it with git lfs pull.",
}


def recognise(path: Path) -> str:
    """One of the words above, from the first bytes and, of a zip archive, the names in it."""
    if zipfile.is_zipfile(path):
        return _archive(path)
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        return EMPTY
    if head.startswith(b"version https://git-lfs"):
        return POINTER
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    if head.startswith(b"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9"):  # the magic number of torch before 1.6
        return SAVED
    return ONNX if path.suffix.lower() == ".onnx" else UNKNOWN  # whose bytes begin in no way of their own


def _archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()} | set(archive.namelist())
    if "constants.pkl" in names:
        return TORCHSCRIPT
    if names & {"archive_format", "models/model.json", "serialized_exported_program.json"}:
        return EXPORTED
    return SAVED if "data.pkl" in names else UNKNOWN


def unreadable(path: Path, wanted: str, error: BaseException, advice: str) -> ModelError:
    """The error for a file that should hold ``wanted`` and could not be read as such."""
    found = recognise(path)
    if found == wanted:
        return ModelError(f"model.path {path} is {wanted}, but cannot be read here: {first_line(error)}. {advice}")
    return ModelError(f"model.path {path} is not {wanted}, but {found}. {REMEDIES.get(found, advice)}")


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its type where that says nothing."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200].rstrip('. ')}" if lines else type(error).__name__
