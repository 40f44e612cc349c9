"""A model description of bioimage.io, which a job reads itself."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.bioimage.description import Description
from pipeline.models.bioimage.parts import EXECUTING
from pipeline.models.bioimage.tensors import image_input, scores_output
from pipeline.models.bioimage.weights import PREFERRED
from pipeline.planning.described import pixel_size, with_description
from pipeline.planning.first_config.deepness import TODO
from pipeline.planning.first_config.facts import ModelFacts

FACTORY = "model.factory: {code} builds the network; name it by --factory if you trust it, since it is executed"


def facts(description: Description, factory: str | None) -> ModelFacts:
    """What a description states; nothing of it has to be in a config.

    Raises
    ------
    ModelError
        It has no weights that are run, or asks for what is not done.
    """
    runnable = [name for name in PREFERRED if name in description.weights]
    if factory is not None and EXECUTING not in description.weights:
        raise ModelError(
            f"--factory is {factory}, but {description.package.name} has no weights of {EXECUTING}. Leave it out."
        )
    if factory is None and not runnable and EXECUTING in description.weights:
        return _unbuilt(description)
    model: dict[str, Any] = {} if factory is None else {"kind": "python", "factory": factory}
    filled = with_description(ModelConfig(path=description.package.path, **model))
    image, scores = image_input(description), scores_output(description, "auto")[0]
    todo = (TODO,) if filled.kind == "onnx" and find_spec("onnxruntime") is None else ()
    section = {} if filled.input is None else filled.input.model_dump(exclude_unset=True)
    return ModelFacts(
        description="a model that is described as those of bioimage.io are",
        model={"kind": filled.kind, **model},
        runs=not todo,
        is_native=True,
        bands=image.channels,
        band_names=image.channel_names,
        channels=None if scores is None else scores.channels,
        classes=[row.model_dump(exclude_unset=True) for row in filled.classes or ()],
        input=section,
        pixel_size=pixel_size(image),
        origin="its description",
        notes=filled.described,
        todo=todo,
    )


def _unbuilt(description: Description) -> ModelFacts:
    """Weights whose network needs code that is to be named."""
    image = image_input(description)
    code = description.weights[EXECUTING].architecture or "the code of its network"
    return ModelFacts(
        description="weights without their network, with a description of bioimage.io",
        model={"kind": "python", "factory": "network.py:build"},
        runs=False,
        is_native=True,
        bands=image.channels,
        band_names=image.channel_names,
        pixel_size=pixel_size(image),
        origin="its description",
        todo=(FACTORY.format(code=code),),
    )
