"""What is decided of a job before its first pixel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.config import Config, NormaliseConfig
from pipeline.inference.block_task import BlockTask
from pipeline.inference.normalise import Adjustment
from pipeline.inspect.memory import activation_memory
from pipeline.interfaces import Locality, Network, Source
from pipeline.locations import Place
from pipeline.planning.area_meta import area_meta
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.option import Resolved
from pipeline.planning.options import RECIPE_OPTIONS
from pipeline.planning.stored_config import stored_config, stored_inputs
from pipeline.planning.types import Plan
from pipeline.postprocess.cleaning import Cleaning
from pipeline.runtime.record_files import torch_release
from pipeline.sources.only.area import SourceAreas
from pipeline.store.spec import StoreSpec

if TYPE_CHECKING:
    from pipeline.models.cropping.plan import Cropping


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that is decided before the first pixel."""

    config: Config
    source: Source
    network: Network
    """What runs."""
    loaded: Network
    """The same as it was loaded."""
    fold: str
    """What was folded of it, or why nothing was, in words."""
    runtime_choice: str = ""
    """How it was decided what runs it, in words."""
    cropping: str
    """Whether halos are cropped on their way through the network, or why not, in words."""
    cropped: Cropping | None
    """The network as it computes a part of a tile; None where tiles are computed whole."""
    locality: Locality
    footprint: activation_memory.ActivationMemory | None
    """None where the store was made before, or the plan frozen: it is reused."""
    plan: Plan
    task: BlockTask
    areas: SourceAreas
    blocks: int
    """Blocks that hold anything that is asked for."""
    spec: StoreSpec
    fingerprint: Fingerprint
    resumes: bool
    """Whether the store is there already."""
    complete: bool
    """Whether it is there and complete."""
    moved: Fingerprint
    """What is known of the source now, where it lies elsewhere than the store says, or was written anew; else
    nothing."""
    same_source: bool
    """Whether the source is taken for the same without a look at its pixels."""
    cleaning: Cleaning | None = None
    """How the layer ``cleaned`` is made; None where there is none."""
    revision: tuple[str, ...] = ()
    """What is to be told of the revision of the network's file in its repository, a sentence each."""
    remarks: tuple[str, ...] = ()
    """What is to be said of what the network returns, a sentence each."""

    @property
    def path(self) -> Place:
        """The store."""
        return self.task.store

    @property
    def finished_spec(self) -> StoreSpec:
        """What the store is made of once it is complete: with the layer ``cleaned`` where there is one."""
        return self.spec if self.cleaning is None else self.spec.with_cleaned

    @property
    def resolved(self) -> Resolved:
        """What the options are read from."""
        return Resolved(
            config=self.config,
            network=self.network,
            recipe=self.task.recipe,
            tiles=self.plan.tiles,
            device=self.task.device,
        )

    @property
    def stretch(self) -> Adjustment | None:
        """Numbers of the raster itself that its pixels are normalised by."""
        return self.task.recipe.normalisation.stretch

    @property
    def normalise(self) -> NormaliseConfig:
        """What asks for them. Of a job with such numbers alone."""
        model_input = self.config.model.input
        assert model_input is not None, "a job with numbers of its raster asks for them"
        assert model_input.normalise is not None, "the same"
        return model_input.normalise

    @property
    def provisional(self) -> bool:
        """Whether these are still to be found by a pass over the raster."""
        return self.stretch is not None and self.stretch.provisional

    def meta(self) -> dict[str, Any]:
        """What the store says of itself; nothing of it changes from run to run of one job."""
        return {
            "version": __version__,
            "tiles": self.plan.tiles.as_dict(),
            "costs": asdict(self.plan.costs),
            "recipe": {option.name: option.resolved(self.resolved) for option in RECIPE_OPTIONS},
            "fingerprint": self.fingerprint,
            "locality": asdict(self.locality),
            "halo": {
                "exact": self.plan.tiles.exact,
                "why": self.plan.tiles.why,
                "tolerated": self.plan.tiles.as_dict()["tolerated"],
            },
            "classes": [asdict(row) for row in self.spec.classes],
            "blocks": list(self.task.layout.shape),
            "levels": self.spec.levels,
            **({"asked": self.blocks} if self.task.area else {}),
            **area_meta(self.areas, self.source.grid, keeps_picture=self.config.output.picture is not False),
            **({"picture": self.spec.picture.as_dict()} if self.spec.picture else {}),
            **({"inputs": inputs} if (inputs := stored_inputs(self.config)) else {}),
            "config": stored_config(self.config),
            "given": stored_config(self.config, exclude_unset=True),
            "versions": {"wholecloth": __version__, "torch": torch_release()},
        }
