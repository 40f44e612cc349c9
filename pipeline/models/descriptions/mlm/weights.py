"""Which file of a description is run: what executes nothing comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.digest import sha256_of_file
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import MODEL_ROLE, AssetPart
from pipeline.models.descriptions.package import FolderPackage
from pipeline.models.descriptions.program_code import require_plain_program
from pipeline.models.weights import ModelMeta, read_model_meta
from pipeline.models.weights.file_type import EXPORTED, ONNX, SAFETENSORS, SAVED, TORCHSCRIPT, detect_file_type

KINDS_OF_FILES = {ONNX: "onnx", EXPORTED: "exported", TORCHSCRIPT: "torchscript"}
"""Kinds of networks by what a whole network's file holds, the first that is there."""
ARTIFACTS = {
    "onnx": ONNX,
    "torch.onnx": ONNX,
    "torch.onnx.export": ONNX,
    "torch.export": EXPORTED,
    "torch.export.save": EXPORTED,
    "torch.export.export": EXPORTED,
    "torch.jit": TORCHSCRIPT,
    "torch.jit.save": TORCHSCRIPT,
    "torch.jit.script": TORCHSCRIPT,
    "torch.jit.trace": TORCHSCRIPT,
    "torch.save": SAVED,
    "safetensors": SAFETENSORS,
}
"""What files hold, by values of ``mlm:artifact_type``."""
WEIGHTS_ALONE = (SAVED, SAFETENSORS)
"""Files whose network code builds."""
SHA256_MULTIHASH = re.compile("1220[0-9a-f]{64}")
"""How ``file:checksum`` writes a SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFile:
    """The file that is run, and how."""

    path: Path
    kind: str
    text: str
    """For the plan."""
    args: dict[str, Any] = field(default_factory=dict)
    """Of a network of ours."""
    meta: ModelMeta | None = None
    """What a file of ours says of the network, whichever of its files is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A file of a STAC item on this machine."""

    asset: AssetPart
    path: Path
    content: str
    kind: str | None
    """None of weights alone."""
    meta: ModelMeta | None
    """Of a file of ours."""


def choose_file(description: MlmDescription, model: ModelConfig) -> ChosenFile:
    """The file for a config, its digest compared, and its programs looked through before torch reads them.

    Raises
    ------
    ModelError
        There is none that can be run without code of the description, it is missing or another, or it holds code.
    """
    chosen = _of_archive(description, model) if description.assets is None else _of_item(description, model)
    if chosen.kind == "exported":
        require_plain_program(chosen.path, description.name, trusted=model.trust)
    return chosen


def _of_archive(description: MlmDescription, model: ModelConfig) -> ChosenFile:
    if model.kind not in (None, "exported") or model.factory is not None:
        raise ModelError(
            f"model.kind is {model.kind or 'python'}, but {description.path} is an archive of exported programs. Leave "
            f"model.kind and model.factory out, or give a file of weights."
        )
    return ChosenFile(path=description.path, kind="exported", text=f"{EXPORTED}, {description.path.name} itself")


def _of_item(description: MlmDescription, model: ModelConfig) -> ChosenFile:
    candidates = _candidates(description)
    wanted = model.kind or ("python" if model.factory else None)
    chosen = _first(candidates, wanted)
    if chosen is None:
        raise _no_file_error(description, candidates, wanted)
    others = [one.kind for one in candidates if one.kind and one is not chosen]
    alternatives = f"; model.kind: {' or '.join(dict.fromkeys(others))} takes others" if others else ""
    kind = wanted or str(chosen.kind)
    return ChosenFile(
        path=chosen.path,
        kind=kind,
        text=f"{chosen.content}, {chosen.asset.href}, {_compared(description, chosen)}{alternatives}",
        args=chosen.meta.args if chosen.meta is not None and chosen.meta.kind == kind else {},
        meta=next((one.meta for one in candidates if one.meta is not None), None),
    )


def _candidates(description: MlmDescription) -> list[_Candidate]:
    """Files of models that are here; raises ModelError where there are none, or one is not what is stated."""
    assets = [asset for asset in (description.assets or {}).values() if asset.is_model]
    if not assets:
        raise ModelError(
            f"{description.name} names no file of a network: no asset has the role {MODEL_ROLE}. Add it, or give the "
            f"file of the network itself."
        )
    package = FolderPackage(description.path, description.path, description.path.parent)
    places = [_place(asset.href, package) for asset in assets]
    if not any(places):
        package.file(assets[0].href)  # says why it is not here
    return [
        _candidate(asset, package.file(place), description)
        for asset, place in zip(assets, places, strict=True)
        if place
    ]


def _place(href: str, package: FolderPackage) -> str | None:
    """The name of a file beside the item; None of one that would have to be fetched, unless it was."""
    address = urlsplit(href)
    if len(address.scheme) < 2:  # a drive is no scheme
        return href
    name = PurePosixPath(unquote(address.path)).name
    return name if name and (package.root / name).is_file() else None


def _candidate(asset: AssetPart, path: Path, description: MlmDescription) -> _Candidate:
    content = detect_file_type(path)
    stated = ARTIFACTS.get((asset.artifact_type or "").lower())
    if stated is not None and stated != content and not {stated, content} <= set(WEIGHTS_ALONE):
        raise ModelError(
            f"{description.name} contradicts its file: mlm:artifact_type of {asset.href} is {asset.artifact_type}, "
            f"{stated}, and the file is {content}. Download it again, or mend the item."
        )
    meta = read_model_meta(path) if content == SAFETENSORS else None
    kind = KINDS_OF_FILES.get(content) or (None if meta is None else meta.kind)
    return _Candidate(asset=asset, path=path, content=content, kind=kind, meta=meta)


def _first(candidates: list[_Candidate], wanted: str | None) -> _Candidate | None:
    """Of the kind that is wanted, or weights alone for a kind that builds its network; else by preference."""
    if wanted is not None:
        whole = next((one for one in candidates if one.kind == wanted), None)
        alone = next((one for one in candidates if one.content in WEIGHTS_ALONE), None)
        return whole or (None if wanted in KINDS_OF_FILES.values() else alone)
    for content in (SAFETENSORS, *KINDS_OF_FILES):
        if chosen := next((one for one in candidates if one.content == content and one.kind), None):
            return chosen
    return None


def _compared(description: MlmDescription, chosen: _Candidate) -> str:
    """What is to be said of the digest; raises ModelError where it is another than the item states."""
    stated = (chosen.asset.checksum or "").lower()
    if not SHA256_MULTIHASH.fullmatch(stated):
        return f"whose checksum {stated} is no SHA-256 and not compared" if stated else "whose SHA-256 is not stated"
    actual = sha256_of_file(chosen.path)
    if actual != stated[4:]:
        raise ModelError(
            f"{description.name} states the SHA-256 {stated[4:]} of {chosen.asset.href}, and the file has {actual}: it "
            f"was changed or cut short. Download it again."
        )
    return "whose SHA-256 is the stated one"


def _no_file_error(description: MlmDescription, candidates: list[_Candidate], wanted: str | None) -> ModelError:
    name = description.name
    contents = ", ".join(f"{one.asset.href} ({one.content})" for one in candidates)
    if wanted is not None:
        return ModelError(
            f"model.kind is {wanted}, for which {name} has no file; it has {contents}. Leave model.kind out, or set "
            f"one of {', '.join(KINDS_OF_FILES.values())}, or python with a factory for weights alone."
        )
    return ModelError(
        f"{name} has {contents}, and no whole network among them: code builds it, "
        f"{network_code(description)}. No code of a description is executed. If you trust it, name it as model.factory "
        f"(file.py:callable or package.module:callable), or set model.kind: smp with model.arch and model.args."
    )


def takes_builder(description: MlmDescription) -> bool:
    """Whether a file holds weights for a network that code builds."""
    return description.assets is not None and any(one.content in WEIGHTS_ALONE for one in _candidates(description))


def needs_builder(description: MlmDescription) -> bool:
    """Whether no file holds the whole network, nor is one of ours."""
    return description.assets is not None and not any(one.kind for one in _candidates(description))


def network_code(description: MlmDescription) -> str:
    """The code that builds the network, in words."""
    assets = (description.assets or {}).values()
    entrypoint = next((asset.entrypoint for asset in assets if asset.entrypoint), None)
    return entrypoint or description.properties.architecture
