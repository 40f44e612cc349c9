"""Which input and output are the image and its scores, and whether their axes are those of an image."""

from __future__ import annotations

from pipeline.errors import ModelError
from pipeline.models.descriptions.axes import NETWORK_AXES, SEVERAL_INPUTS_ADVICE, axes_fault
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import InputPart, OutputPart

SEGMENTATION = ("semantic-segmentation", "segmentation")
NUMBERS = "regression"
"""The task whose outputs are numbers of each pixel, and no classes."""
TASKS = (*SEGMENTATION, NUMBERS)


def image_of(description: MlmDescription) -> InputPart:
    """The one image that the network takes.

    Raises
    ------
    ModelError
        The network takes several, or something else; or two statements of its bands contradict each other.
    """
    inputs, name = description.properties.input, description.name
    if len(inputs) != 1:
        raise ModelError(
            f"{name} describes a network of {len(inputs)} inputs ({', '.join(part.name for part in inputs)}), "
            f"{SEVERAL_INPUTS_ADVICE}"
        )
    image = inputs[0]
    if image.input.letters != NETWORK_AXES:
        axes = ", ".join(image.input.dim_order)
        raise ModelError(
            f"{name}: the input {image.name} has the axes {axes} ({image.input.letters}), "
            f"{axes_fault(image.input.letters)}"
        )
    _require_bands_alike(description, image)
    fixed_side(description, image)
    return image


def _require_bands_alike(description: MlmDescription, image: InputPart) -> None:
    stated = image.input.size("c")
    if stated is not None and image.bands and len(image.bands) != stated:
        raise ModelError(
            f"{description.name} contradicts itself: the input {image.name} lists {len(image.bands)} bands "
            f"({', '.join(image.band_names)}), and its shape {list(image.input.shape)} has {stated}. Mend it, or ask "
            f"who published the model."
        )


def fixed_side(description: MlmDescription, image: InputPart) -> int | None:
    """The size that is stated of images, px; None where sizes vary. Raises ModelError where it is no square."""
    rows, cols = image.input.size("y"), image.input.size("x")
    if rows is not None and cols is not None and rows != cols:
        raise ModelError(
            f"{description.name}: the input {image.name} has {rows} rows and {cols} cols, so that no tile can be "
            f"square. Take a network whose rows and cols are alike, or vary (-1)."
        )
    return rows or cols


def scores_of(description: MlmDescription, key: str) -> tuple[OutputPart | None, str]:
    """The output with scores of each pixel, and the key that finds it.

    Parameters
    ----------
    description
        The model.
    key
        ``model.output.key`` of the config: ``auto``, a name, or a place from 0.

    Returns
    -------
    tuple
        The output is None where the key is none of the description's.

    Raises
    ------
    ModelError
        No output is of a task that is done, or it has other axes than an image.
    """
    outputs = description.properties.output
    if key != "auto":
        named = int(key) if key.isdecimal() else next((k for k, one in enumerate(outputs) if one.name == key), -1)
        return (outputs[named] if 0 <= named < len(outputs) else None), key
    places = [k for k, output in enumerate(outputs) if set(tasks_of(description, output)) & set(TASKS)]
    if not places:
        raise _task_error(description)
    place = next((k for k in places if _letters(outputs[k]) == NETWORK_AXES), None)
    if place is None:
        raise _result_error(description, outputs[places[0]])
    return outputs[place], str(place) if len(outputs) > 1 else key


def _letters(output: OutputPart) -> str:
    """Those of an image where nothing is stated: what the network returns is looked at anyway."""
    return NETWORK_AXES if output.result is None else output.result.letters


def tasks_of(description: MlmDescription, output: OutputPart) -> tuple[str, ...]:
    """Of an output, else of the model, in lower case with hyphens."""
    tasks = output.tasks or description.properties.tasks
    return tuple(task.lower().replace("_", "-").replace(" ", "-") for task in tasks)


def _task_error(description: MlmDescription) -> ModelError:
    tasks = {task: None for output in description.properties.output for task in tasks_of(description, output)}
    return ModelError(
        f"{description.name} describes a network for {', '.join(tasks) or 'no task that is named'}, and maps are made "
        f"here by {', '.join(TASKS)}. Take a network that scores each pixel; if this one does, name its output by "
        f"model.output.key."
    )


def _result_error(description: MlmDescription, output: OutputPart) -> ModelError:
    assert output.result is not None
    letters = output.result.letters
    axes = f"{description.name}: the output {output.name} has the axes {', '.join(output.result.dim_order)} ({letters})"
    if letters == "byx":
        return ModelError(
            f"{axes}, which are the numbers of classes and no scores. Take a network, or export this one, without the "
            f"argmax or threshold at its end."
        )
    if letters in ("bc", "c", "b"):
        return ModelError(
            f"{axes}, one answer for a whole image, although its task is {', '.join(tasks_of(description, output))}. "
            f"If it scores each pixel, mend its dim_order, or name it by model.output.key."
        )
    return ModelError(f"{axes}, {axes_fault(letters)}")
