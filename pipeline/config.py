"""The config of a job: checked values, whatever file they came from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Auto = Literal["auto"]
PerBand = float | list[float]
Count = Annotated[int, Field(ge=1)]

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
}


def parse_bytes(said: str | int) -> int:
    """``3072MiB``, ``8 GB`` or a number → bytes. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(said))
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError(f"{said!r} is no amount of memory; write 3072MiB, 8GiB, a number of bytes, or auto")
    return int(float(match[1]) * _UNITS[match[2].lower()])


class Section(BaseModel):
    """A part of the config; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(Section):
    """Where the pixels come from."""

    kind: Literal["raster"] = Field("raster", description="anything GDAL opens")
    path: str = Field(description="path, URL, /vsi… path or sample://NAME")
    bands: Annotated[list[Count], Field(min_length=1)] | None = Field(
        None, description="bands in the network's order, counted from 1; all but alpha by default"
    )
    nodata: Auto | float | None = Field("auto", description="auto: the file's; a value; or null: none")
    nodata_rule: Literal["all", "any"] = Field("all", description="a pixel is invalid where all its bands are nodata, or any")
    scale_tags: bool = Field(False, description="apply the file's own scale and offset tags")


class LabelsConfig(Section):
    """What is known of an image: a raster of class codes, or polygons."""

    path: str = Field(description="raster of one band, polygons (GeoJSON, GeoPackage, FlatGeobuf, shapefile …), or sample://NAME")
    values: dict[int | str, int | str] | None = Field(
        None, description="value of the labels → code or name of its class, such as {0: 0, 255: 1}; then every value is listed"
    )
    ignore: list[int | str] = Field([], description="values that say nothing, or names of classes that are passed over")
    attribute: str | None = Field(None, description="field of the polygons that holds the class")
    burn: int | str | None = Field(None, description="name or code of the class that all polygons mean")
    layer: str | None = Field(None, description="layer of a file that has several")


class ClassConfig(Section):
    """One class of the mask."""

    name: str
    color: str | None = Field(None, description="'#rrggbb', quoted")
    code: Annotated[int, Field(ge=0, le=65534)] | None = Field(None, description="value in the mask; its place in the list by default")
    role: Literal["background", "ignore"] | None = None

    @field_validator("color")
    @classmethod
    def _color(cls, color: str | None) -> str:
        if color is None:
            raise ValueError("an unquoted # begins a comment in YAML; write '#2b83ba', with quotes")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            raise ValueError(f"{color!r} is no colour; write '#2b83ba', quoted")
        return color


class InputConfig(Section):
    """Normalisation: (raw·scale + offset − mean) / std, each a number or one per band."""

    scale: PerBand = 1.0
    offset: PerBand = 0.0
    mean: PerBand = 0.0
    std: PerBand = 1.0
    size: Count | None = Field(None, description="training size, px: the tile size of networks that are not local")


class ReturnConfig(Section):
    """What the network returns."""

    key: str = Field("auto", description="entry of a dict or tuple that holds the logits")
    activation: Literal["auto", "none", "softmax", "sigmoid"] = Field(
        "auto", description="what turns what it returns into probabilities; none where the network already did"
    )
    multilabel: bool = Field(False, description="each channel is a class of its own, by a sigmoid; the mask is the likeliest that reaches the threshold")
    threshold: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="of one logit's sigmoid, and of each channel's where multilabel")

    @model_validator(mode="after")
    def _independent(self) -> ReturnConfig:
        if self.multilabel and self.activation == "softmax":
            raise ValueError("multilabel needs activation sigmoid, or none where the network ends in one; a softmax lets one class win over the others")
        return self


class ModelConfig(Section):
    """The network and what its classes mean."""

    kind: Literal["torchscript", "exported", "python", "smp", "classifier", "fcn32s", "fcn16s", "fcn8s", "fcn", "deconvnet", "resnet_fcn"] | None = Field(
        None, description="a file of ours says its own kind"
    )
    path: Path | None = Field(None, description="the weights or the whole network")
    factory: str | None = Field(None, description="package.module:callable or file.py:callable, for kinds python and classifier; its code is executed")
    arch: str | None = Field(None, description="architecture of segmentation_models_pytorch, such as Unet, for kind smp")
    args: dict[str, Any] = Field({}, description="arguments of the factory or hyperparameters")
    classes: Annotated[list[ClassConfig], Field(min_length=1)] | None = None
    input: InputConfig | None = None
    output: ReturnConfig = ReturnConfig()


class TileConfig(Section):
    """How the network sees the raster."""

    size: Auto | Count = Field("auto", description="px that the network sees at once, halo included")
    halo: Literal["auto", "exact"] | Annotated[int, Field(ge=0)] = "auto"
    overlap: Auto | Annotated[float, Field(ge=0)] = Field("auto", description="a fraction below 1, or px; above 0 tiles are blended")
    taper: Literal["auto", "flat", "linear", "hann", "gaussian"] = "auto"
    blend: Literal["logits", "probabilities"] = "logits"


class OutputConfig(Section):
    """The store."""

    path: Path
    layers: list[Literal["mask", "confidence"]] = ["mask"]
    chunk: Count = Field(512, description="px")
    block: Auto | Count = Field("auto", description="px, a whole number of chunks and shards")
    shard: Literal["auto", "none"] | Count = "auto"
    nodata: Auto | Annotated[int, Field(ge=0, le=65535)] = "auto"
    pyramid: bool = True
    zarr_format: Literal[2, 3] = 3

    @field_validator("layers")
    @classmethod
    def _layers(cls, layers: list[str]) -> list[str]:
        if "mask" not in layers or len(set(layers)) < len(layers):
            raise ValueError(f"{layers} must name mask, and each layer once")
        return layers

    @model_validator(mode="after")
    def _shards(self) -> OutputConfig:
        if self.zarr_format == 2 and isinstance(self.shard, int):
            raise ValueError("shard needs zarr_format 3; Zarr v2 has no shards")
        return self


class ExecutionConfig(Section):
    """How the job runs; nothing here but precision and device changes a pixel."""

    engine: Literal["serial", "threads"] = "threads"
    workers: Auto | Count = Field("auto", description="blocks in flight")
    device: str = Field("auto", description="cpu, cuda:0, or auto")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    memory: str | int = Field("auto", description="bound of the whole process, such as 8GiB")
    retries: Annotated[int, Field(ge=0)] = Field(2, description="further tries to read a window")
    dashboard: str | None = Field(None, description="address of the scheduler's dashboard, such as 127.0.0.1:8787")

    @field_validator("memory")
    @classmethod
    def _memory(cls, memory: str | int) -> str | int:
        if memory != "auto":
            parse_bytes(memory)
        return memory


class Config(Section):
    """The whole config of one job."""

    source: SourceConfig
    model: ModelConfig
    tile: TileConfig = TileConfig()
    output: OutputConfig
    execution: ExecutionConfig = ExecutionConfig()
