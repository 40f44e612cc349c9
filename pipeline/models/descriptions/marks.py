"""By what a path is told to hold a description, before a reader is imported: most paths hold none."""

from __future__ import annotations

from pathlib import Path

from pipeline.models.descriptions import archive
from pipeline.models.descriptions.package import find_package
from pipeline.models.weights.file_type import ONNX, detect_file_type

BIOIMAGE_NAMES = ("rdf.yaml", "bioimageio.yaml")
"""Of descriptions, the first that is there."""
YAML_ENDINGS = (".yaml", ".yml")
ITEM_ENDINGS = (".json", ".geojson")
METADATA_MEMBERS = ("extra/mlm-metadata", "extra_files/mlm-metadata")
"""In an archive of torch 2.8 and after, and in one of before."""
METADATA_FILE = "configs/metadata.json"
EMBEDDED_METADATA = "extra/metadata.json"
"""Of a TorchScript file that ``torch.jit.save`` wrote with extra files."""
INFERENCE_ENDINGS = ("json", "yaml", "yml")
"""Of the config in a bundle that says how its network is run."""
CONFIG_NAMES = ("config.json",)
ONNX_ENDING = ".onnx"


def is_bioimage(path: Path) -> bool:
    """Whether a package of bioimage.io may lie there."""
    return find_package(path, BIOIMAGE_NAMES, YAML_ENDINGS) is not None


def is_mlm(path: Path) -> bool:
    """Whether an item of STAC may, or an archive with metadata of MLM."""
    return path.is_file() and (path.suffix.lower() in ITEM_ENDINGS or archive.is_package(path, METADATA_MEMBERS))


def is_bundle(path: Path) -> bool:
    """Whether a bundle of MONAI may, or a network with the metadata of one."""
    return find_package(path, (METADATA_FILE,)) is not None or (
        path.is_file() and find_package(path, (EMBEDDED_METADATA,)) is not None
    )


def is_bundle_config(place: str) -> bool:
    """Whether a place that ``model.factory`` names is a config of a bundle."""
    return place.rpartition(".")[2].lower() in INFERENCE_ENDINGS


def is_saved_folder(path: Path) -> bool:
    """Whether a folder of ``save_pretrained`` may."""
    return find_package(path, CONFIG_NAMES) is not None


def is_onnx_file(path: Path) -> bool:
    """Whether an ONNX file lies there, whose metadata may be those of Deepness."""
    return path.suffix.lower() == ONNX_ENDING and path.is_file() and detect_file_type(path) == ONNX
