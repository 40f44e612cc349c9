"""A model description of bioimage.io, which a job reads itself."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.bioimage.description import ModelDescription
from pipeline.models.bioimage.parts import EXECUTING
from pipeline.models.bioimage.tensors import image_input, scores_output
from pipeline.models.bioimage.weights import PREFERRED
from pipeline.planning.described import LINEAR, OVERRIDDEN, training_pixel_size, with_description
from pipeline.planning.first_config.deepness import TODO
from pipeline.planning.first_config.facts import ModelFacts

PLACEHOLDER = "network.py:build"
FACTORY_TODO = "model.factory, which builds the network and is executed: {code}; name it by --factory if you trust it"


def facts(description: ModelDescription, factory: str | None) -> ModelFacts:
    """What a description states; nothing of it has to be in a config, but for the code of a network that needs it.

    Raises
    ------
    ModelError
        It has no weights that are run, asks for what is not done, or needs no factory.
    """
    if factory is not None and EXECUTING not in description.weights:
        raise ModelError(
            f"--factory is {factory}, but {description.package.name} has no weights of {EXECUTING}. Leave it out."
        )
    todo = _todo(description, factory)
    builder = factory or (PLACEHOLDER if todo and "model.factory" in todo[0] else None)
    model: dict[str, Any] = {} if builder is None else {"kind": "python", "factory": builder}
    filled = with_description(ModelConfig(path=description.package.path, **model))
    image, scores = image_input(description), scores_output(description, "auto")[0]
    return ModelFacts(
        description="a model that is described as those of bioimage.io are",
        model={"kind": filled.kind, **model, **({"args": filled.args} if filled.args else {})},
        runs=not todo,
        is_native=True,
        bands=image.channels,
        band_names=image.channel_names,
        channels=None if scores is None else scores.channels,
        classes=[row.model_dump(exclude_unset=True) for row in filled.classes or ()],
        input=_stated_input(filled),
        pixel_size=training_pixel_size(image),
        origin="its description",
        notes=tuple(sentence for sentence in filled.described if not sentence.startswith(OVERRIDDEN)),
        todo=todo,
    )


def _todo(description: ModelDescription, factory: str | None) -> tuple[str, ...]:
    """What has to be named or installed before the network runs."""
    if factory is not None:
        return ()
    runnable = next((name for name in PREFERRED if name in description.weights), None)
    if runnable is None and EXECUTING in description.weights:
        code = description.weights[EXECUTING].architecture or "code that is not named"
        return (FACTORY_TODO.format(code=code),)
    return (TODO,) if runnable == "onnx" and find_spec("onnxruntime") is None else ()


def _stated_input(filled: ModelConfig) -> dict[str, Any]:
    """Keys of ``model.input``; a description without steps states that pixels are taken as they are."""
    section = {} if filled.input is None else filled.input.model_dump(exclude_unset=True)
    return section if section.keys() & {*LINEAR, "normalise"} else {"scale": 1.0, **section}
