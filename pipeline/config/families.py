"""Names of the kinds in each family that a config may give.

They stand here so that a config is checked before any family is imported.

A family registers its own table, so that a kind which a program adds to the table may be given at once;
`tests/test_families.py` compares both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Names of the kinds of a family: those of the package, then those that a program has added to its tables."""

    names: tuple[str, ...]
    tables: list[Mapping[str, Any]] = field(default_factory=list)

    def register(self, table: Mapping[str, Any]) -> None:
        """Let the keys of a family's table be given in a config."""
        self.tables.append(table)

    def __iter__(self) -> Iterator[str]:
        """Every name once, in the order of the package."""
        return iter(dict.fromkeys([*self.names, *(name for table in self.tables for name in table)]))


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotation of a field that takes the name of a kind.

    Its messages and its JSON schema are those of a ``Literal``.
    """

    family: Family
    others: tuple[str, ...] = ()
    """Words that may be given in place of a name, such as ``auto``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Look the names up whenever a config is checked, since a program may add kinds."""
        return core_schema.no_info_plain_validator_function(
            lambda value: SchemaValidator(self._literal()).validate_python(value)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """List the names as an enum."""
        return handler(self._literal())

    def _literal(self) -> CoreSchema:
        return core_schema.literal_schema([*self.others, *self.family])


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What the rest of the package has to know of an engine."""

    sequential: bool = False
    """Whether it runs one block after the other, and one tile at a time."""
    out_of_process: bool = False
    """Whether it runs blocks in other processes."""
    workers: Literal["machine", "job", "scheduler"] = "machine"
    """Where they run: on this machine, in jobs of a batch system, or wherever a scheduler has them."""
    section: str | None = None
    """Example of the section of ``execution`` without which it cannot run; the section bears the engine's name."""

    @property
    def starts_processes(self) -> bool:
        """Whether it starts processes on this machine."""
        return self.out_of_process and self.workers == "machine"

    @property
    def local(self) -> bool:
        """Whether several tiles may be computed at once in processes of this machine, of which all is known."""
        return self.workers == "machine" and not self.sequential


ENGINE_FACTS: dict[str, EngineFacts] = {
    "serial": EngineFacts(sequential=True),
    "threads": EngineFacts(),
    "processes": EngineFacts(out_of_process=True),
    "slurm": EngineFacts(out_of_process=True, workers="job", section="{cores: 8, memory: 32GiB}, and more"),
    "address": EngineFacts(out_of_process=True, workers="scheduler", section="{scheduler: tcp://…}"),
}
"""By name, as in ``execution.engine``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a config has to know of a kind of source."""

    keys: tuple[str, ...] = ()
    """Keys of ``source`` that not all kinds have."""
    forms: tuple[type, ...] = (str,)
    """Types that ``source.path`` may have."""
    names_bands: bool = False
    """Whether bands have names beside numbers."""
    resamples: bool = False
    """Whether its files may be resampled where no ``source.grid`` is given."""


SOURCE_FACTS: dict[str, SourceFacts] = {
    "raster": SourceFacts(keys=("pixel_size", "select", "axes")),
    "bands": SourceFacts(
        keys=("resolution", "radiometry", "valid"), forms=(str, dict), names_bands=True, resamples=True
    ),
    "slide": SourceFacts(keys=("pixel_size", "mpp", "level", "select", "axes")),
    "mosaic": SourceFacts(keys=("overlap", "unreadable"), forms=(str, list)),
    "stac": SourceFacts(
        keys=("resolution", "radiometry", "valid", "assets", "sign", "as", "overlap", "unreadable"),
        forms=(str, dict),
        names_bands=True,
        resamples=True,
    ),
    "zarr": SourceFacts(keys=("variable", "select", "axes", "georeference"), names_bands=True),
    "stack": SourceFacts(keys=("align", "stack_rule"), forms=(list,), resamples=True),
}
"""By name, as in ``source.kind``."""

SOURCE_KINDS = Family(tuple(SOURCE_FACTS))
MODEL_KINDS = Family(
    (
        "torchscript",
        "exported",
        "onnx",
        "python",
        "smp",
        "transformers",
        "classifier",
        "fcn32s",
        "fcn16s",
        "fcn8s",
        "fcn",
        "deconvnet",
        "resnet_fcn",
    )
)
TAPER_KINDS = Family(("flat", "linear", "hann", "gaussian"))
LAYER_KINDS = Family(("mask", "confidence", "probabilities", "entropy", "values", "variance"))
EXPORT_KINDS = Family(
    ("cog", "png", "ome-tiff", "gpkg", "geoparquet", "flatgeobuf", "geojson", "qupath", "zarr-labels", "image-labels")
)
RUNTIME_KINDS = Family(("torch", "compile", "openvino", "onnxruntime", "tensorrt"))
ENGINE_KINDS = Family((), [ENGINE_FACTS])


def facts_of(kind: str) -> SourceFacts:
    """What is known of a kind of source; of one that a program has added, that it has no keys of its own."""
    return SOURCE_FACTS.get(kind, SourceFacts())


def kinds_with(key: str) -> list[str]:
    """The kinds of source that have a key which not all have; none where all have it."""
    return [kind for kind, facts in SOURCE_FACTS.items() if key in facts.keys]
