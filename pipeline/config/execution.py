"""How a job runs and what it writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, field_validator, model_validator

from pipeline.config.cluster import AddressConfig, SlurmConfig
from pipeline.config.exports import Exports
from pipeline.config.families import (
    ENGINE_FACTS,
    ENGINE_KINDS,
    LAYER_KINDS,
    RUNTIME_KINDS,
    TAPER_KINDS,
    EngineFacts,
    OneOf,
)
from pipeline.config.numbers import PerChannel, check_values
from pipeline.config.postprocess import Postprocess
from pipeline.config.values import Auto, ConfigSection, Count, Seconds, parse_bytes
from pipeline.locations import Place, parse_place

StorePlace = Annotated[
    Place,
    PlainValidator(parse_place),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "path"}),
]


class ToleranceConfig(ConfigSection):
    """The smallest halo that leaves no more than an error, measured on the raster itself."""

    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="largest error of any logit, in standard deviations of the logits"
    )
    places: Count = Field(6, description="windows of the raster that are looked at, the most valid of some at random")
    seed: int = 0


class TileConfig(ConfigSection):
    """How the network sees the raster."""

    size: Auto | Count = Field("auto", description="px that the network sees at once, halo included")
    halo: Literal["auto", "exact"] | Annotated[int, Field(ge=0)] | ToleranceConfig = Field(
        "auto", description="px, or {tolerance: 1.0e-3}"
    )
    overlap: Auto | int | float = Field("auto", description="a fraction below 1, or px; above 0 tiles are blended")
    taper: Annotated[str, OneOf(TAPER_KINDS, ("auto",))] = "auto"
    blend: Literal["logits", "probabilities"] = Field(
        "logits", description="what is averaged where tiles overlap or are turned"
    )
    augment: Literal["none", "flips", "dihedral"] = Field(
        "none",
        description="test-time augmentation: the mean over 4 flips, or over 8 flips and quarter turns, of each tile",
    )
    pad: Literal["none", "reflect", "constant"] = Field(
        "none",
        description="of an unpadded network, and of blended tiles: how the raster is padded at its edges, where pixels "
        "of an unpadded network are nodata without",
    )
    batch: Auto | Count = Field(
        "auto", description="equal tiles that go through the network at once, where tiles are blended"
    )

    @field_validator("halo", mode="before")
    @classmethod
    def _halo(cls, halo: object) -> object:
        if isinstance(halo, dict | ToleranceConfig) or halo in ("auto", "exact") or (type(halo) is int and halo >= 0):
            return halo
        raise ValueError("give auto, exact, a number of px, or {tolerance: 1.0e-3}")

    @field_validator("overlap", mode="before")
    @classmethod
    def _overlap(cls, overlap: object) -> object:
        if (
            overlap == "auto"
            or (type(overlap) is int and overlap >= 0)
            or (isinstance(overlap, float) and (0 <= overlap < 1 or _whole(overlap)))
        ):
            return overlap
        raise ValueError("give auto, a fraction below 1 such as 0.5, or a whole number of px")


def _whole(px: float) -> bool:
    """Whether it may be a number of px: stores of earlier releases remember it as a float."""
    return px > 1 and px.is_integer()


class OutputConfig(ConfigSection):
    """The store."""

    path: StorePlace = Field(description="a folder, or s3://bucket/scene.zarr")
    layers: list[Annotated[str, OneOf(LAYER_KINDS)]] = Field(
        ["mask"], description="mask, and whichever else is wanted; or values alone"
    )
    probabilities_dtype: Literal["uint8", "float16"] = Field(
        "uint8", description="uint8, of which 255 is 1, or float16"
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="pixels whose class is less probable are nodata in the mask"
    )
    values_dtype: Literal["float16", "float32", "int16", "int8"] = Field(
        "float32", description="of the layer values; integers take a scale, and clip what lies beyond"
    )
    values_scale: PerChannel | None = Field(
        None, description="what one step of integers stands for, one number or one per channel"
    )
    values_offset: PerChannel | None = Field(
        None, description="what 0 of integers stands for, one number or one per channel; 0 by default"
    )
    chunk: Count = Field(512, description="px")
    block: Auto | Count = Field("auto", description="px, a whole number of chunks and shards")
    shard: Literal["auto", "none"] | Count = "auto"
    nodata: Auto | Annotated[int, Field(ge=-32768, le=65535)] = Field(
        "auto", description="of the mask, from 0; of integer values where there is no mask"
    )
    pyramid: bool = True
    exports: Exports = Field(
        "auto", description="files for other programs, made at the end of run: auto is [cog], and [] is none"
    )
    postprocess: Postprocess | None = Field(
        None,
        description="steps that make the layer cleaned of the mask, such as [{sieve: 20 px}, {majority: 3}]; "
        "without the key, a store keeps the layer that it has",
    )
    picture: bool | list[Count] = Field(
        True,
        description="keep a reduced picture of what the network read; or the one or three bands that it shows, "
        "counted from 1 among those read",
    )
    report: bool = Field(True, description="leave a page of the run beside the store, NAME.report.html")
    stac: bool = Field(False, description="leave an item of STAC beside the store, NAME.stac.json")
    redact: bool = Field(
        False, description="keep names of images out of everything that is written: stand-ins take their place"
    )
    certificate: bool = Field(False, description="verify the store at the end of run")
    zarr_format: Literal[2, 3] = 3

    @field_validator("layers")
    @classmethod
    def _layers(cls, layers: list[str]) -> list[str]:
        alone = "values" in layers and not set(layers) - {"values", "variance"}
        if ("mask" not in layers and not alone) or len(set(layers)) < len(layers):
            raise ValueError(f"{layers} must name mask, and each layer once, or values alone")
        return layers

    @field_validator("picture", mode="before")
    @classmethod
    def _picture(cls, picture: object) -> object:
        is_list = isinstance(picture, list) and len(picture) in (1, 3) and all(type(band) is int for band in picture)
        if isinstance(picture, bool) or is_list:
            return picture
        raise ValueError("give true, false, or a list of one or three bands, such as [3, 2, 1]")

    @model_validator(mode="after")
    def _shards(self) -> OutputConfig:
        if self.zarr_format == 2 and isinstance(self.shard, int):
            raise ValueError("shard needs zarr_format 3; Zarr v2 has no shards")
        return self

    @model_validator(mode="after")
    def _values(self) -> OutputConfig:
        check_values(
            self.values_dtype if "values" in self.layers else None,
            self.values_scale,
            self.values_offset,
            has_mask="mask" in self.layers,
            nodata=None if self.nodata == "auto" else self.nodata,
        )
        if "mask" not in self.layers and self.min_confidence:
            raise ValueError("min_confidence is of classes, and a store of values alone has none; leave it out")
        return self


class ExecutionConfig(ConfigSection):
    """How the job runs.

    Precision, fold, crop, runtime and device change pixels; by ties so may threads, of which engine, processes and
    streams decide.
    """

    engine: Annotated[str, OneOf(ENGINE_KINDS)] = "threads"
    workers: Auto | Count = Field("auto", description="blocks in flight, in each process")
    processes: Auto | Count = Field("auto", description="of engine processes; auto: one per GPU, and one on the CPU")
    slurm: SlurmConfig | None = Field(None, description="of engine slurm")
    address: AddressConfig | None = Field(None, description="of engine address")
    patience: Annotated[float, Field(gt=0)] = Field(
        600, description="seconds without any worker after which a run gives up, to be run again"
    )
    device: str = Field("auto", description="cpu, cuda:0, or auto")
    streams: Auto | Count = Field(
        "auto", description="tiles that a CPU computes at once in each process, with the cores shared among them"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    fold: Auto | bool = Field(
        "auto",
        description="batch norm into convolutions: auto where labels stay the same up to ties; true up to 1e-4; false",
    )
    crop: Auto | bool = Field(
        "auto",
        description="halos on their way through the network, so that layers compute what the core is made of alone; "
        "auto where only roundings change",
    )
    runtime: Annotated[str, OneOf(RUNTIME_KINDS, ("auto",))] = Field(
        "auto", description="what runs the network: auto decides by facts, without timing"
    )
    compile: bool = Field(
        False,
        description="the same as runtime: compile, torch.compile: faster after minutes of compiling, for long runs; "
        "rounds otherwise, up to 1e-4",
    )
    memory: str | int = Field("auto", description="bound of the whole process, such as 8GiB")
    retries: Annotated[int, Field(ge=0)] = Field(2, description="further tries to read a window")
    read_timeout: Seconds | None = Field(None, description="s, or such as 2m: a read that takes longer has failed")
    stop_after: Seconds | None = Field(
        None, description="s, or such as 23h30m: the run ends with 75, to be run again, once its process is so old"
    )
    dashboard: str | None = Field(None, description="address of the scheduler's dashboard, such as 127.0.0.1:8787")

    @field_validator("memory")
    @classmethod
    def _memory(cls, memory: str | int) -> str | int:
        if memory != "auto":
            parse_bytes(memory)
        return memory

    @model_validator(mode="after")
    def _engine(self) -> ExecutionConfig:
        if self.facts.section is not None and getattr(self, self.engine) is None:
            raise ValueError(f"engine {self.engine} needs execution.{self.engine}: {self.facts.section}")
        return self

    @model_validator(mode="after")
    def _runtime(self) -> ExecutionConfig:
        contradicts = (
            self.runtime not in ("auto", "compile")
            if self.compile
            else self.runtime == "compile" and "compile" in self.model_fields_set
        )
        if contradicts:
            raise ValueError(
                f"runtime is {self.runtime}, but compile is {str(self.compile).lower()}; compile: true and "
                f"runtime: compile are the same, so leave compile out and give runtime alone"
            )
        return self

    @property
    def requested_runtime(self) -> str:
        """What is to run the network, or ``auto``."""
        return "compile" if self.compile else self.runtime

    @property
    def facts(self) -> EngineFacts:
        """Those of the engine; of one that a program has added without any, those of an engine in this process."""
        return ENGINE_FACTS.get(self.engine, EngineFacts())
