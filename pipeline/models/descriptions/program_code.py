"""What reading or running the programs of an archive would execute, found before torch reads them.

`torch.export.load` unpickles, evaluates expressions of sizes, calls functions by their names, and opens libraries
(torch/export/pt2_archive/_package.py, torch/_export/serde/serialize.py). Of a program that torch.export writes of an
ordinary network none of that is needed: it holds operators, numbers and sizes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.descriptions import archive
from pipeline.models.descriptions.program_archive import COMPILED_FILES, NETWORK, PROGRAMS, programs_among
from pipeline.models.descriptions.size_expression import is_size

PAYLOADS = re.compile(r"(^|/)data/(weights|constants)/[^/]+_config\.json$", re.IGNORECASE)
PICKLES = re.compile(r"\.pt$", re.IGNORECASE)
OBJECTS = ("custom_obj_", "opaque_obj_")
"""How the names of constants begin that are pickled objects."""
MAX_PROGRAM_BYTES = 64 * 2**20
"""Of the text of one; networks of 100 layers have a few MiB."""
OPERATORS = re.compile(
    r"torch\.ops\.(?!(load_library|import_module|loaded_libraries|prim)\.)[A-Za-z]\w*\.\w+(\.(?!__)\w+)?"
    r"|torch\._?sym_\w+|math\.[a-z]\w*"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|pos|abs|index|and_|or_|xor|not_|eq|ne|lt|le|gt|ge"
    r"|lshift|rshift|invert)"
)
"""Names of functions that a program may call: operators of torch, and arithmetic on sizes."""
FILES_OF_OPERATORS = re.compile(r"torch\.ops\.\w+\.(from_file|save|load)\b")
"""Operators that open files."""
TREE_FIELDS = ("in_spec", "out_spec")
TREE_CODE = ("default_factory", "__enum__", "\\u")
"""What makes torch import a module by its name, or hides it."""


def require_plain_program(path: Path, description: str | None, trusted: bool) -> None:
    """Raise ModelError where reading a program or running it would execute code, and the user trusts none.

    Parameters
    ----------
    path
        The archive.
    description
        What names it, for messages; None where the user does.
    trusted
        ``model.trust`` of the user's own config.
    """
    members = archive.members(path)
    if libraries := [name for name in members if COMPILED_FILES.search(name)]:
        _refuse_libraries(path, libraries, programs_among(members), trusted)
    if trusted:
        return
    state = path.stat()
    if reason := _code(path, state.st_size, state.st_mtime_ns):
        named = f"model.path {path}" if description is None else f"{path}, which {description} describes,"
        raise ModelError(
            f"{named} is refused: {reason}, which would execute code of the file. "
            f"Nothing of it was read. Export the network again (torch.export.save), or set model.trust: true if you "
            f"trust whoever made it."
        )


def _refuse_libraries(path: Path, libraries: list[str], programs: list[str], trusted: bool) -> None:
    """Raise ModelError unless the user trusts them and there is a program beside them."""
    named = f"model.path {path} holds {len(libraries)} compiled files of AOTInductor, such as {libraries[0]}"
    if not trusted:
        raise ModelError(
            f"{named}: machine code, which is executed as soon as it is opened. Nothing of it was opened. Give an "
            f"archive of the exported program alone (torch.export.save)"
            + (", or set model.trust: true if you trust whoever made it." if programs else ".")
        )
    if NETWORK not in programs:
        raise ModelError(
            f"{named}, and no program that can be measured and tiled. A compiled library does not compare the sizes of "
            f"what it is given with those that it was compiled for. Give the program that it was made of "
            f"(torch.export.save), or load the library in a factory of yours (model.kind: python)."
        )


@lru_cache(maxsize=16)
def _code(path: Path, size: int, modified: int) -> str | None:
    """What would be executed, in words; None where nothing would."""
    members = archive.members(path)
    folded = [name.casefold() for name in members]
    if len(set(folded)) < len(folded):
        return "two of its files have one name"
    if NETWORK not in (programs := programs_among(members)):
        named = f"the programs {', '.join(programs)} and none" if programs else "no program that is"
        raise ModelError(
            f"model.path {path} holds {named} named {NETWORK}. Export the network alone (torch.export.save)."
        )
    with zipfile.ZipFile(path) as file:
        reasons = (reason for name in members if (reason := _code_of_member(file, name)))
        return next(reasons, None)


def _code_of_member(file: zipfile.ZipFile, name: str) -> str | None:
    if PROGRAMS.search(name):
        return _code_of_program(_parsed(file, name), name)
    if PAYLOADS.search(name):
        return _code_of_payload(_parsed(file, name), name)
    return (
        f"{name} is a pickle of more than tensors" if PICKLES.search(name) and not _holds_tensors(file, name) else None
    )


def _parsed(file: zipfile.ZipFile, name: str) -> Any:
    if file.getinfo(name).file_size > MAX_PROGRAM_BYTES:
        raise ModelError(f"{name} of {file.filename} is longer than any program. Download it again.")
    try:
        return json.loads(file.read(name))
    except (ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ModelError(f"{name} of {file.filename} is damaged: {error}. Download it again.") from error


def _holds_tensors(file: zipfile.ZipFile, name: str) -> bool:
    """Whether torch reads a pickle without calling anything that is named in it."""
    content = file.read(name)
    if not content:
        return True
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # whatever damaged bytes make the reader raise; torch would go on without weights_only
        return False
    return True


def _code_of_payload(payload: Any, name: str) -> str | None:
    for entry in _objects(payload):
        if entry.get("use_pickle") or str(entry.get("path_name", "")).startswith(OBJECTS):
            return f"{name} names the pickle {entry.get('path_name')}"
    return None


def _code_of_program(program: Any, name: str) -> str | None:
    for entry in _objects(program):
        target, expression = entry.get("target"), entry.get("expr_str")
        if "inputs" in entry and isinstance(target, str) and not _is_operator(target):
            return f"{name} calls {target[:80]}"
        if expression is not None and not is_size(expression):
            return f"{name} has the size {str(expression)[:80]!r}"
        if any(word in str(entry.get(field) or "") for field in TREE_FIELDS for word in TREE_CODE):
            return f"{name} takes or returns objects of other modules"
    return None


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document, without recursion."""
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _is_operator(target: str) -> bool:
    return OPERATORS.fullmatch(target) is not None and FILES_OF_OPERATORS.match(target) is None
