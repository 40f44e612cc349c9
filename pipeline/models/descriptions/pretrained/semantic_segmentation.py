"""``config.json`` of transformers for networks of semantic segmentation (https://huggingface.co/docs/transformers)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.models.descriptions.pretrained.image_processor import prepared_images
from pipeline.models.descriptions.pretrained.network import LibraryNetwork

TRANSFORMERS_LIBRARY = "transformers"
SUFFIX = "ForSemanticSegmentation"
"""Of classes that return a score of each class and pixel."""
NAMING_KEYS = {"id2label", "label2id", "num_labels", "architectures", "auto_map", "dtype", "torch_dtype"}
NAMING_KEYS |= {"transformers_version", "finetuning_task", "problem_type", "task_specific_params"}
"""Entries that name, or tell how the file was written, and build no layer."""
FETCHED = ("backbone", "use_pretrained_backbone", "use_timm_backbone")
"""Entries that ask for a part of the network from elsewhere."""
DEFAULT_BANDS, DEFAULT_LABELS = 3, 2


def transformers_network(document: dict[str, Any], processor: dict[str, Any] | None) -> LibraryNetwork | None:
    """What the documents state; None where another library wrote them.

    Parameters
    ----------
    document
        ``config.json``.
    processor
        ``preprocessor_config.json``; None where there is none.
    """
    architectures = document.get("architectures")
    if not isinstance(architectures, list) or "model_type" not in document:
        return None
    arch = str(architectures[0]) if architectures else "no architecture"
    names = _label_names(document.get("id2label"))
    channels = len(names) or _labels(document)
    images = prepared_images(processor, document.get("image_size"))
    code = _code(document)
    return LibraryNetwork(
        library=TRANSFORMERS_LIBRARY,
        kind="transformers",
        arch=arch,
        args={**_building(document), "num_labels": channels},
        bands=_bands(document),
        band_names=images.band_names,
        channels=channels,
        channel_names=() if all(name.upper() == f"LABEL_{k}" for k, name in enumerate(names)) else names,
        input=images.keys,
        input_origin=None if processor is None else "the library's preprocessor_config.json",
        input_fault=images.fault,
        fault=_code_fault(code) or _arch_fault(arch) or _fetched_fault(document),
        code=code,
        hints=images.hints,
    )


def _building(section: dict[str, Any]) -> dict[str, Any]:
    """The entries that build layers, of a section and of those in it."""
    return {
        key: _building(value) if isinstance(value, dict) else value
        for key, value in section.items()
        if key not in NAMING_KEYS and not key.startswith("_")
    }


def _label_names(labels: Any) -> tuple[str, ...]:
    """Names in the order of the channels, a number after those that come twice."""
    if not isinstance(labels, dict) or {str(k) for k in range(len(labels))} != {str(key) for key in labels}:
        return ()
    names = [str(labels[key]).strip() for key in sorted(labels, key=int)]
    count = Counter(names)
    return tuple(f"{name} {k}".strip() if count[name] > 1 or not name else name for k, name in enumerate(names))


def _labels(document: dict[str, Any]) -> int:
    labels = document.get("num_labels")
    return labels if isinstance(labels, int) and labels > 0 else DEFAULT_LABELS


def _bands(document: dict[str, Any]) -> int:
    """Of the network, or of the backbone that sees the image."""
    backbone = document.get("backbone_config")
    stated = document.get("num_channels", backbone.get("num_channels") if isinstance(backbone, dict) else None)
    return stated if isinstance(stated, int) and stated > 0 else DEFAULT_BANDS


def _code(document: dict[str, Any]) -> str | None:
    """The modules that ``auto_map`` names; None where there are none."""
    entries = document.get("auto_map")
    return f"auto_map: {', '.join(map(str, entries.values()))}" if isinstance(entries, dict) and entries else None


def _code_fault(code: str | None) -> str | None:
    if code is None:
        return None
    return (
        f"names code of its own ({code}), and no code of such a folder is executed, whatever model.trust says. Take a "
        f"network of transformers itself, export this one to ONNX, or name what builds it as model.factory if you "
        f"trust it."
    )


def _arch_fault(arch: str) -> str | None:
    if arch.endswith(SUFFIX):
        return None
    return (
        f"holds {arch}, which does not return a score of each class for each pixel. Networks whose names end in "
        f"{SUFFIX} are run, such as Segformer{SUFFIX}; others can be wrapped in a model.factory."
    )


def _fetched_fault(section: dict[str, Any]) -> str | None:
    """Of a part that the library would fetch, in the document or in its sections."""
    key = next((key for key in FETCHED if section.get(key)), None)
    if key is not None:
        return (
            f"has {key}: {section[key]}, for which the library would fetch a part of the network; nothing is fetched. "
            f"Save the network with a backbone_config that holds all of it."
        )
    sections = (value for value in section.values() if isinstance(value, dict))
    return next((fault for value in sections if (fault := _fetched_fault(value)) is not None), None)
