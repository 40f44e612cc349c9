"""What a file holds, whatever its name says, so that a wrong ``model.kind`` is answered with the right one."""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

from pipeline.errors import ModelError

TORCHSCRIPT = "a TorchScript network"
EXPORTED = "an exported program"
SAVED = "a file of torch.save (a state dict, or a pickled network)"
SAFETENSORS = "a safetensors file"
ONNX = "an ONNX network"
EMPTY_FILE = "an empty file"
POINTER = "a Git LFS pointer in the place of the file"
KERAS = "a Keras file"
TFLITE = "a TensorFlow Lite file"
OPENVINO = "an OpenVINO network"
PAGE = "a web page, perhaps of a login or an error"
PICTURE = "an image"
UNKNOWN_FILE = "something that torch does not write, or a part of it"

CONVERT = "Convert it to ONNX once with python -m tf2onnx.convert"
REMEDIES = {
    TORCHSCRIPT: "Set model.kind: torchscript.",
    EXPORTED: "Set model.kind: exported.",
    SAVED: "For a state dict, set model.kind: smp with model.arch, or model.kind: python with a factory "
    "that builds the network.",
    SAFETENSORS: "A file of ours says its own kind; for another's, set model.kind: python with a factory "
    "that builds the network.",
    ONNX: "Set model.kind: onnx.",
    POINTER: "Fetch it with git lfs pull.",
    KERAS: f"{CONVERT} --keras FILE --output model.onnx --inputs-as-nchw INPUT --outputs-as-nchw OUTPUT, "
    f"and set model.kind: onnx.",
    TFLITE: f"{CONVERT} --tflite FILE --output model.onnx --inputs-as-nchw INPUT --outputs-as-nchw OUTPUT, "
    f"and set model.kind: onnx.",
    OPENVINO: "Give the ONNX file that it was made from, and set model.kind: onnx.",
    PAGE: "Fetch the file itself again.",
    PICTURE: "Give the file with the weights or the whole network.",
}

MAGIC = {b"\x89HDF\r\n": KERAS, b"\x89PNG": PICTURE, b"II*\0": PICTURE, b"MM\0*": PICTURE, b"\xff\xd8\xff": PICTURE}
"""How files of others begin."""
ENDINGS = (".pt", ".pth", ".pt2", ".ckpt", ".safetensors", ".onnx", ".bin", ".pkl", ".h5", ".keras")
"""Of files in which networks are saved."""


def detect_file_type(path: Path) -> str:
    """One of the words above, from the first bytes and, of a zip archive, the names in it."""
    if zipfile.is_zipfile(path):
        return _archive(path)
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        return EMPTY_FILE
    if head.startswith(b"version https://git-lfs"):
        return POINTER
    foreign = _foreign(path, head)
    if foreign is not None:
        return foreign
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    if head.startswith(b"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9"):  # the magic number of torch before 1.6
        return SAVED
    return ONNX if path.suffix.lower() == ".onnx" else UNKNOWN_FILE  # whose bytes begin in no way of their own


def _foreign(path: Path, head: bytes) -> str | None:
    """What other libraries write, and what is no network."""
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return PAGE
    if path.suffix.lower() == ".xml" and head.lstrip().startswith(b"<"):
        return OPENVINO
    return (
        TFLITE
        if head[4:8] == b"TFL3"
        else next((kind for start, kind in MAGIC.items() if head.startswith(start)), None)
    )


def _archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()} | set(archive.namelist())
    if "constants.pkl" in names:
        return TORCHSCRIPT
    if names & {"archive_format", "models/model.json", "serialized_exported_program.json"}:
        return EXPORTED
    if "model.weights.h5" in names or "keras_metadata.pb" in names or {"config.json", "metadata.json"} <= names:
        return KERAS
    return SAVED if "data.pkl" in names else UNKNOWN_FILE


def check_file(path: Path) -> None:
    """Raise ModelError where ``model.path`` names no file: a folder, or nothing."""
    if path.is_dir():
        raise folder_error(path, "model.path")
    if not path.is_file():
        raise ModelError(
            f"model.path is {path}, which does not exist. Give the file with the weights or the whole network."
        )


def folder_error(path: Path, name: str) -> ModelError:
    """The error for a folder in the place of a file, with the files in it that may be meant."""
    if (path / "saved_model.pb").is_file():
        return ModelError(
            f"{name} is {path}, which is a folder: a SavedModel of TensorFlow. {CONVERT} --saved-model "
            f"{shlex.quote(str(path))} --output model.onnx "
            "--inputs-as-nchw INPUT --outputs-as-nchw OUTPUT, and give that file with model.kind: onnx."
        )
    inside = (
        sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())[:5]
        if path.is_dir()
        else []
    )
    examples = (
        f"such as {', '.join(str(file) for file in inside)}"
        if inside
        else "but it holds none that a network is saved in"
    )
    return ModelError(
        f"{name} is {path}, which is a folder. Give the file in it with the weights or the whole network, {examples}."
    )


def wrong_file_error(path: Path, expected: str, error: BaseException, advice: str) -> ModelError:
    """The error for a file that should hold ``expected`` and could not be read as such."""
    actual = detect_file_type(path)
    if actual == expected:
        return ModelError(f"model.path {path} is {expected}, but cannot be read here: {first_line(error)}. {advice}")
    return ModelError(f"model.path {path} is not {expected}, but {actual}. {REMEDIES.get(actual, advice)}")


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its type where that says nothing."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200].rstrip('. ')}" if lines else type(error).__name__
