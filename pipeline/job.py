"""From a config to a job: open, measure, plan; nothing is written."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pipeline import __version__, fingerprint, machine, resolve_model
from pipeline.area import open_area
from pipeline.config import Config, OutputConfig, ToleranceConfig, parse_bytes
from pipeline.errors import ConfigError, PlanError, SourceError, StoreError
from pipeline.locality import footprint
from pipeline.locality.batch import independent
from pipeline.locality.cache import cached
from pipeline.models import load
from pipeline.plan import halo, memory
from pipeline.plan.resolve import over_budget, resolve, staff
from pipeline.plan.types import Plan, Tiles, Wish
from pipeline.protocols import Locality, Network, Source
from pipeline.resolve_halo.choose import choose as choose_halo
from pipeline.resolve_halo.profile import Sight
from pipeline.sources import open_source
from pipeline.stages.block import BlockTask
from pipeline.stages.device import PRECISIONS, choose, rounding
from pipeline.stages.infer import Recipe
from pipeline.stages.normalise import Normalisation
from pipeline.store import layout as store

if TYPE_CHECKING:
    from pipeline.area.area import Area

BATCH_PX = 2**22
"""Pixels of all tiles of a batch, on a GPU; a CPU gains nothing from more than one tile."""
IN_FLIGHT = 4
"""Blocks that ``workers: auto`` keeps in flight: one read, one inferred, one written, and one to spare."""
GROWTH = 320 * memory.MIB
"""What libraries grow by once a run is on its way: threads and their heaps, the scheduler, codecs, what freed tensors leave behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that is decided before the first pixel."""

    config: Config
    source: Source
    network: Network
    locality: Locality
    footprint: footprint.Footprint | None
    """None where the store was made before: its plan is reused."""
    plan: Plan
    task: BlockTask
    blocks: int
    """Blocks that hold anything that is asked for."""
    spec: store.StoreSpec
    fingerprint: fingerprint.Fingerprint
    resumes: bool
    """Whether the store is there already."""
    complete: bool
    """Whether it is there and complete."""

    @property
    def path(self) -> Path:
        """The store."""
        return self.task.store

    def meta(self) -> dict[str, Any]:
        """What the store says of itself; nothing of it changes from run to run of one job."""
        return {
            "version": __version__,
            "tiles": self.plan.tiles.as_dict(),
            "costs": asdict(self.plan.costs),
            "recipe": {"precision": self.task.recipe.precision, "threads": self.task.recipe.threads, "memory_format": "channels_last"},
            "fingerprint": self.fingerprint,
            "locality": asdict(self.locality),
            "halo": {"exact": self.plan.tiles.exact, "why": self.plan.tiles.why, "tolerated": self.plan.tiles.as_dict()["tolerated"]},
            "classes": [asdict(row) for row in self.spec.classes],
            "blocks": list(self.task.layout.shape),
            **({"asked": self.blocks} if self.task.area else {}),
            "config": self.config.model_dump(mode="json"),
            "given": self.config.model_dump(mode="json", exclude_unset=True),
            "versions": {"wholecloth": __version__, "torch": str(torch.__version__)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What a plan is made from."""

    config: Config
    source: Source
    area: Area | None
    network: Network
    locality: Locality
    device: torch.device
    normalisation: Normalisation
    stored: dict[str, Any] | None
    precision: str

    @property
    def multiple(self) -> int:
        return math.lcm(self.locality.stride, self.network.accepts.multiple)


def prepare(config: Config, fresh: bool = False) -> Job:
    """Decide everything about a job.

    Parameters
    ----------
    config
        What is asked for.
    fresh
        Plan as if the store were not there.

    Raises
    ------
    InputError
        The config, source, network or store is wrong.
    PlanError
        The plan does not fit the memory.
    """
    source = open_source(config.source)
    area = open_area(config.source.aoi, source.grid)
    stored = _stored(config.output.path, fresh)
    meaning = resolve_model.resolve(config, source.bands)
    device = choose(config.execution.device)
    network = load(meaning.model, source.bands, device)
    asked = config.execution.precision
    precision = stored["recipe"]["precision"] if stored else "float32" if asked == "auto" else asked
    opened = _Opened(
        config=config, source=source, area=area, network=network, locality=cached(network, source.bands), device=device,
        normalisation=meaning.normalisation, stored=stored, precision=precision,
    )  # fmt: skip
    rows = resolve_model.class_rows(meaning.classes, opened.locality.classes, meaning.model.output)  # before the plan: a wrong list is the likelier mistake
    plan, cost = _plan(opened, len(rows))
    return _job(opened, meaning, plan, cost)


def _job(opened: _Opened, meaning: resolve_model.Meaning, plan: Plan, cost: footprint.Footprint | None) -> Job:
    config, source, stored, path = opened.config, opened.source, opened.stored, opened.config.output.path
    recipe, rows = resolve_model.recipe(
        meaning, config, opened.locality.classes, precision=opened.precision, tiles=plan.tiles,
        threads=stored["recipe"]["threads"] if stored else machine.cores(),
    )  # fmt: skip
    if stored:
        wanted = fingerprint.wanted(source, opened.area, opened.network, recipe, config, plan.tiles.multiple)
        fingerprint.compare(stored["fingerprint"], wanted, path)
    task = BlockTask(
        source=source, model=meaning.model, recipe=recipe, layout=plan.tiles.layout(), store=path, device=str(opened.device),
        retries=config.execution.retries, area=opened.area,
    )  # fmt: skip
    made = stored["fingerprint"] if stored else fingerprint.of(source, opened.area, opened.network, recipe, plan.tiles, config)
    return Job(
        config=config, source=source, network=opened.network, locality=opened.locality, footprint=cost, plan=plan, task=task,
        blocks=_count(task), spec=_spec(config, source, recipe, rows, plan.tiles), fingerprint=made, resumes=stored is not None,
        complete=bool(stored and stored.get("complete")),
    )  # fmt: skip


def _count(task: BlockTask) -> int:
    """Blocks that hold anything that is asked for."""
    if task.area is None:
        return task.layout.count
    count = sum(1 for _ in task.blocks())
    if not count:
        raise SourceError(f"{task.area.layer.who} hold no pixel's centre of the raster, so that there is nothing to infer. Give a larger area.")
    return count


def _stored(path: Path, fresh: bool) -> dict[str, Any] | None:
    if not path.exists():
        return None
    if not store.is_ours(path):
        raise StoreError(f"output.path is {path}, which exists and is not a store of ours; it was left as it is. Give another path, or move it away.")
    return None if fresh else store.read_meta(path)


def _plan(opened: _Opened, classes: int) -> tuple[Plan, footprint.Footprint | None]:
    budget = _budget(opened.config)
    if opened.stored:
        costs = replace(memory.Costs(**opened.stored["costs"]), libraries=_libraries(), gdal_cache=memory.GDAL_CACHE)
        plan = staff(Tiles.of(opened.stored["tiles"]), costs, budget, _workers(opened.config))
        if plan.peak > budget:
            raise PlanError(over_budget(plan))
        return plan, None
    cost = footprint.measure(opened.network, opened.source.bands, opened.multiple, opened.device, PRECISIONS[opened.precision])
    return resolve(_wish(opened, _costs(opened, cost, classes), budget)), cost


def _wish(opened: _Opened, costs: memory.Costs, budget: int) -> Wish:
    config, network, locality = opened.config, opened.network, opened.locality
    meet = _meet(opened, costs, budget)
    return Wish(
        height=opened.source.grid.height, width=opened.source.grid.width, tile=config.tile.size, overlap=config.tile.overlap,
        taper=config.tile.taper, blend=config.tile.blend, block=config.output.block, chunk=config.output.chunk,
        shard="none" if config.output.zarr_format == 2 else config.output.shard, multiple=opened.multiple,
        minimum=max(locality.minimum, network.accepts.minimum), maximum=network.accepts.maximum,
        training_size=config.model.input.size if config.model.input else None,
        halo=meet, costs=costs, budget=budget, workers=_workers(config), augment=config.tile.augment,
        batch=_batch(opened) if meet.halo is None else 1,
    )  # fmt: skip


def _meet(opened: _Opened, costs: memory.Costs, budget: int) -> halo.HaloDecision:
    """How tiles meet; measured on the raster where a tolerance is asked for."""
    wanted, overlap = opened.config.tile.halo, opened.config.tile.overlap
    if not isinstance(wanted, ToleranceConfig):
        return halo.decide(opened.locality, wanted, overlap, opened.multiple)
    if overlap != "auto" and overlap > 0:
        return halo.decide(opened.locality, "auto", overlap, opened.multiple)
    sight = Sight(
        source=opened.source, network=opened.network, locality=opened.locality, normalisation=opened.normalisation, device=opened.device,
        multiple=opened.multiple, room=memory.longest(costs, budget, wanted.places),
    )  # fmt: skip
    with rounding(opened.precision, machine.cores(), opened.device):
        found = choose_halo(sight, wanted.tolerance, wanted.places, wanted.seed)
    return halo.by_tolerance(opened.locality, found, opened.multiple)


def _batch(opened: _Opened) -> int:
    """Equal tiles at once: what the network's file fixes, what is asked for, or by the device."""
    asked, fixed = opened.config.tile.batch, opened.network.accepts.batch
    if asked != "auto" and fixed is not None and asked > fixed:
        raise ConfigError(f"tile.batch is {asked}, but the network takes {fixed} images at once. Give at most that, or auto.")
    if fixed is not None or asked == 1 or (asked == "auto" and opened.device.type == "cpu"):
        return fixed if asked == "auto" and fixed is not None else 1 if asked == "auto" else asked
    if not independent(opened.network, opened.source.bands, opened.multiple, opened.device):
        if asked == "auto":
            return 1
        raise ConfigError(f"tile.batch is {asked}, but the images of a batch change each other's answers in this network. Give 1, or auto.")
    size = opened.config.model.input.size if opened.config.model.input else None
    return asked if asked != "auto" else max(1, min(16, BATCH_PX // (size or 512) ** 2))


def _workers(config: Config) -> int:
    if config.execution.engine == "serial":
        return 1
    return IN_FLIGHT if config.execution.workers == "auto" else config.execution.workers


def _budget(config: Config) -> int:
    asked = config.execution.memory
    return machine.default_budget() if asked == "auto" else parse_bytes(asked)


def _libraries() -> int:
    return machine.resident() + GROWTH


def _costs(opened: _Opened, cost: footprint.Footprint, classes: int) -> memory.Costs:
    source = opened.source
    return memory.Costs(
        libraries=_libraries(),
        gdal_cache=memory.GDAL_CACHE,
        raw=source.bands * (source.dtype.itemsize + 1) + 1,
        bands=source.bands,
        classes=opened.locality.classes,
        activations=cost.bytes_per_pixel,
        output=_output(opened.config.output, classes) + (opened.area is not None),
    )


def _output(output: OutputConfig, classes: int) -> int:
    """Bytes per pixel of all layers; the mask may turn out to need two."""
    layers = (store.layer_spec(name, dtype="uint16", nodata=0, probabilities=output.probabilities_dtype, planes=classes) for name in output.layers)
    return sum(layer.bytes_per_pixel for layer in layers)


def _spec(config: Config, source: Source, recipe: Recipe, rows: tuple[store.ClassRow, ...], tiles: Tiles) -> store.StoreSpec:
    return store.StoreSpec(
        grid=source.grid, layers=recipe.layers, chunk=tiles.chunk, shard=tiles.shard, nodata=recipe.nodata, dtype=recipe.dtype,
        zarr_format=config.output.zarr_format, classes=rows, levels=store.levels_for(source.grid, tiles.chunk) if config.output.pyramid else 1,
        probabilities=recipe.probabilities, planes=tuple(recipe.decoding.codes[k] for k in recipe.decoding.outcomes), doubtful=recipe.min_confidence > 0,
    )  # fmt: skip
