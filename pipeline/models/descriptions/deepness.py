"""ONNX files with the metadata of Deepness, a plugin of QGIS (https://qgis-plugin-deepness.readthedocs.io)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import ClassConfig, ModelConfig
from pipeline.errors import ExtraError, ModelError
from pipeline.models.descriptions.description import ReferenceCase, Statement
from pipeline.models.descriptions.foreign_entries import (
    EIGHT_BITS,
    class_list,
    mean_and_std,
    parse_entry,
    training_size,
)
from pipeline.models.descriptions.marks import is_onnx_file
from pipeline.models.descriptions.overrides import LINEAR
from pipeline.models.onnx_runtime.file import OnnxFile, image_channels, read_onnx
from pipeline.models.weights import sha256
from pipeline.runtime.record_files import record_path, write_record
from pipeline.runtime.resources import cache_folder

DEEPNESS = "Deepness"
DEEPNESS_VERSION = 1
"""Raised when other files are taken for files of the plugin."""
TYPE_KEY = "model_type"
SEGMENTOR, REGRESSOR = "segmentor", "regressor"
RUN_TYPES = (SEGMENTOR, REGRESSOR)
OTHER_TYPES = ("detector", "superresolution", "recognition")
"""Types that give boxes, finer pictures or places, and no value for each pixel."""
METADATA_KEYS = {TYPE_KEY, "class_names", "resolution", "tile_size", "tiles_size", "tiles_overlap", "seg_thresh"}
METADATA_KEYS |= {"seg_small_segment", "reg_output_scaling", "standardization_mean", "standardization_std"}
"""Of the plugin's metadata; other programs write single ones of them."""
FEWEST_KEYS = 2
METADATA_ORIGIN = "the file's metadata"
CENTIMETRES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepnessModel:
    """A `pipeline.models.descriptions.description.DescribedModel` of Deepness."""

    path: Path
    bands: int | None
    channels: int | None
    entries: Mapping[str, Any]
    """Metadata by key, as values."""

    @property
    def name(self) -> str:
        """The file, for messages."""
        return str(self.path)

    @property
    def format(self) -> str:
        """The plugin."""
        return DEEPNESS

    @property
    def band_names(self) -> tuple[str, ...]:
        """None: the plugin's user maps bands by hand."""
        return ()

    @property
    def pixel_size(self) -> float | None:
        """Of the training, m; the metadata have it in cm."""
        resolution = self.entries.get("resolution")
        return resolution / CENTIMETRES if isinstance(resolution, int | float) and resolution > 0 else None

    def state(self, model: ModelConfig) -> Statement:
        """Keys of a config; raises ModelError where the network gives no value for each pixel."""
        names = self._class_names()
        return Statement(
            title=f"a {self._type()} of {DEEPNESS}, by the metadata of {self.path}",
            weights="weights of the file itself",
            kind=model.kind or "onnx",
            origin=METADATA_ORIGIN,
            input=self._stated_input(model),
            output=self._stated_output(model),
            channels=self.channels,
            channel_names=names if len(names) == self.channels else (),
            classes=tuple(ClassConfig(name=name) for name in names) if self._names_both(names) else (),
            hints=tuple(self._hints(names)),
        )

    def _type(self) -> str:
        """What the metadata call it; a segmentor where they do not say."""
        kind = str(self.entries.get(TYPE_KEY, SEGMENTOR)).lower()
        if kind in RUN_TYPES:
            return kind
        raise ModelError(
            f"{self.path} is a {self.entries[TYPE_KEY]} by its metadata ({TYPE_KEY}), as {DEEPNESS} calls it, which "
            f"gives no class or value for each pixel. Give a network that {DEEPNESS} calls a Segmentor or a Regressor."
        )

    def _class_names(self) -> tuple[str, ...]:
        """Of the one output; empty where there are several outputs with names each."""
        stated = self.entries.get("class_names", self.entries.get("names"))
        if isinstance(stated, list) and len(stated) == 1 and isinstance(stated[0], dict):
            stated = stated[0]
        if isinstance(stated, list) and any(isinstance(name, dict) for name in stated):
            return ()
        names = tuple(str(row["name"]) for row in class_list(stated))
        return names if len(set(names)) == len(names) and all(map(str.strip, names)) else ()

    def _names_both(self, names: tuple[str, ...]) -> bool:
        """Whether names of both sides of a threshold are there, for one channel."""
        return self.channels == 1 and len(names) == 2

    def _stated_input(self, model: ModelConfig) -> dict[str, Any]:
        given = set() if model.input is None else model.input.model_fields_set
        # the plugin knows one image; of several inputs each has numbers of its own
        numbers = {} if model.inputs else {"scale": EIGHT_BITS, **mean_and_std(self.entries, "standardization_")}
        keys = {
            **numbers,
            **training_size(self.entries.get("tile_size"), self.entries.get("tiles_size")),
        }
        replaced = given | (LINEAR if "normalise" in given else set())
        return {name: value for name, value in keys.items() if name not in replaced}

    def _stated_output(self, model: ModelConfig) -> dict[str, Any]:
        """The threshold, which decides where there is one channel."""
        threshold = self._threshold()
        if threshold is None or self.channels != 1 or "threshold" in model.output.model_fields_set:
            return {}
        return {"threshold": threshold}

    def _threshold(self) -> float | None:
        threshold = self.entries.get("seg_thresh")
        return threshold if isinstance(threshold, int | float) and 0 < threshold < 1 else None

    def _hints(self, names: tuple[str, ...]) -> Iterator[str]:
        yield "pixels are of 8 bits there, from 0 to 255"
        if self._type() == REGRESSOR:
            scaling = self.entries.get("reg_output_scaling", 1)
            yield f"what it returns are values (output.layers: [values]), which {DEEPNESS} multiplies by {scaling}"
        if "tiles_overlap" in self.entries:
            yield (
                f"tiles overlap by {self.entries['tiles_overlap']} % there; what is measured of the network decides, "
                f"or tile.overlap"
            )
        if self._threshold() is not None and self.channels != 1:
            yield (
                f"a pixel is of the first class there where none reaches {self._threshold()} (seg_thresh); here the "
                f"likeliest wins, and output.min_confidence leaves such pixels out"
            )
        if self.entries.get("seg_small_segment"):
            yield "small parts are smoothed away there (seg_small_segment); output.postprocess does the like"
        if names and len(names) != self.channels and not self._names_both(names):
            yield f"{len(names)} names are there for {self.channels} channels, so that they are left out"

    def weights_file(self, model: ModelConfig) -> Path:
        """The file itself."""
        return self.path

    @property
    def takes_factory(self) -> bool:
        """False: the file holds the whole network."""
        return False

    def code_of_network(self) -> str | None:
        """None: an ONNX file needs no code."""
        return None

    def reference_case(self, model: ModelConfig, key: str) -> ReferenceCase | None:
        """None: the plugin keeps no test image."""
        return None


def read_deepness(path: Path) -> DeepnessModel | None:
    """The network of an ONNX file with metadata of Deepness; None of any other file, or where onnx is not installed.

    Raises
    ------
    ModelError
        The file is no ONNX file, or a part of one.
    """
    if not is_onnx_file(path):
        return None
    record = _record_of_other_file(path)
    if record is not None and record.exists():
        return None
    try:
        file = read_onnx(path)
    except ExtraError:  # the loader of its kind asks for the library
        return None
    if _is_of_deepness(file):
        return _described(path, file)
    if record is not None:
        write_record(record, {})
    return None


def _record_of_other_file(path: Path) -> Path | None:
    """Where it is recorded that a file has none of the metadata, which only reading all of its weights tells."""
    try:
        return record_path(cache_folder() / "deepness", [DEEPNESS_VERSION, sha256(path)])
    except OSError:  # of which reading tells
        return None


def _described(path: Path, file: OnnxFile) -> DeepnessModel:
    return DeepnessModel(
        path=path,
        bands=image_channels(file.inputs) if len(file.inputs) == 1 else None,
        channels=image_channels(file.outputs),
        entries={key: parse_entry(value) for key, value in file.metadata.items()},
    )


def _is_of_deepness(file: OnnxFile) -> bool:
    stated_type = str(parse_entry(file.metadata.get(TYPE_KEY, ""))).lower()
    return stated_type in (*RUN_TYPES, *OTHER_TYPES) or len(METADATA_KEYS & file.metadata.keys()) >= FEWEST_KEYS
