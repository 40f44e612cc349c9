"""How a network is trained; the other sections say what it is, what it takes and which pixels it sees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.labels import LabelsConfig
from pipeline.config.source import ScenePath
from pipeline.config.values import Auto, ConfigSection, Count

Share = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Extent = Annotated[list[int], Field(min_length=4, max_length=4)]


class SceneConfig(ConfigSection):
    """One image and what is known of it. All but its path is as ``source`` has it."""

    path: ScenePath = Field(
        description="path, URL, /vsi… path or sample://NAME; of other kinds of source in the form of source.path, "
        "of a stack a path for each of its sources"
    )
    labels: LabelsConfig
    area: Extent | None = Field(
        None, description="[row, col, height, width], px: the part that is used; all by default"
    )

    @model_validator(mode="after")
    def _inside(self) -> SceneConfig:
        if self.area is not None and (min(self.area[:2]) < 0 or min(self.area[2:]) < 1):
            raise ValueError(
                f"area is {self.area}; write [row, col, height, width] in px, counted from 0, of a part "
                f"that is not empty"
            )
        return self


class ValidationConfig(ConfigSection):
    """What judges while the network learns: blocks of the map that are held out, or scenes of their own."""

    share: Share = Field(0.2, description="of the blocks of every scene that are held out")
    block: Count = Field(512, description="side of the blocks, px")
    scenes: Annotated[list[SceneConfig], Field(min_length=1)] | None = Field(
        None, description="judge by these, and hold out nothing of the others"
    )


class LossConfig(ConfigSection):
    """What is minimised: the sum of the losses that are named, each by its weight."""

    cross_entropy: Weight = Field(0, description="softmax of one logit per class; 1 if no loss is named")
    binary_cross_entropy: Weight = Field(
        0, description="sigmoid of each channel; for one logit, and for classes that hold side by side"
    )
    dice: Weight = Field(0, description="1 − the mean soft Dice coefficient of the classes")
    focal: Weight = Field(0, description="cross-entropy of which easy pixels count less")
    gamma: Weight = Field(2, description="how much less, for focal")
    classes: Literal["balanced"] | list[Weight] | None = Field(
        None, description="weight of each class; balanced: by the root of how rare it is"
    )


class AugmentConfig(ConfigSection):
    """How windows differ from what the scenes show."""

    flip: bool = Field(True, description="mirror half of them")
    turn: bool = Field(True, description="by quarter turns")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(0, description="by up to so many degrees, either way")
    zoom: Annotated[float, Field(ge=0, lt=1)] = Field(0, description="by a factor of up to 1 + zoom, either way")
    gain: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="of the raw values, per window; and 0.3 of it per band"
    )
    noise: Weight = Field(0, description="standard deviation of what is added to the normalised values")


class OptimiserConfig(ConfigSection):
    """AdamW and its learning rate."""

    rate: Annotated[float, Field(gt=0)] = Field(2e-3, description="the largest learning rate")
    decay: Weight = Field(1e-2, description="weight decay")
    schedule: Literal["one_cycle", "cosine", "constant"] = Field(
        "one_cycle", description="all rise over the warm-up; the first two then fall to nothing"
    )
    warmup: Share = Field(0.1, description="share of the steps in which the rate rises")
    clip: Annotated[float, Field(gt=0)] | None = Field(1.0, description="largest norm of the gradient")


class TrainingConfig(ConfigSection):
    """How the network of ``model`` is trained; ``train`` writes its weights to ``model.path``."""

    scenes: Annotated[list[SceneConfig], Field(min_length=1)]
    validation: ValidationConfig = ValidationConfig()
    rounds: Count = Field(20, description="after each the network is judged and the training saved")
    steps: Count = Field(100, description="of one round")
    window: Count = Field(256, description="side of what the network sees at once, px")
    batch: Count = Field(8, description="windows of a step, on all devices together")
    balance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of windows around a pixel of a class that is drawn evenly"
    )
    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    patience: Count | None = Field(None, description="rounds without improvement after which it stops")
    start: str | None = Field(None, description="weights to start from: a path, URL, torchvision://NAME or hf://…")
    freeze: Literal["body"] | None = Field(None, description="body: train score and upsampling layers only")
    seed: Annotated[int, Field(ge=0)] = 0
    devices: Count = Field(1, description="GPUs, or processes on the CPU, that share each batch")
    loaders: Auto | Annotated[int, Field(ge=0)] = Field(
        "auto", description="processes that read windows; auto: none on the CPU, 4 per GPU"
    )
