"""Steps before the network: the scaling that is stated, the program of an archive, and code that is not executed."""

from __future__ import annotations

from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import InputPart
from pipeline.models.descriptions.mlm.scaling import scaling_keys
from pipeline.models.descriptions.mlm.transforms import TRANSFORMS, are_alike, measured_keys
from pipeline.models.descriptions.mlm.weights import ChosenFile
from pipeline.models.descriptions.overrides import LINEAR
from pipeline.models.descriptions.program_archive import has_program

PROGRAM_FORMATS = ("pt2-exported-program", "pt2-aoti-model")
"""Formats of steps that are programs of the archive itself."""


def stated_steps(
    description: MlmDescription, image: InputPart, model: ModelConfig, chosen: ChosenFile
) -> dict[str, Any]:
    """Keys of ``model.input`` for all that is done to pixels; empty where the config replaces it.

    Raises
    ------
    ModelError
        A step is not done here, and the config does not replace it.
    """
    given = set() if model.input is None else model.input.model_fields_set
    try:
        _require_no_code(image, given)
        keys = _merged_keys(image, chosen, given)
    except StepError as error:
        if given & {*LINEAR, "normalise"}:
            return {}
        raise ModelError(
            f"{description.name}: before the network, {error}. Give model.input in the config (scale, offset, mean, "
            f"std, normalise, or a transform of yours), which takes its place."
        ) from error
    replaced = "normalise" in given or ("normalise" in keys and given & LINEAR)
    return {} if replaced else keys


def _require_no_code(image: InputPart, given: set[str]) -> None:
    """Raise StepError where pixels are changed by code that the config does not replace by its own."""
    if "transform" in given:
        return
    for band in image.bands or ():
        if band.expression is not None:
            raise StepError(
                f"the band {band.name} is computed as {band.expression} ({band.format}), and nothing of a description "
                f"is computed; model.input.transform makes such bands"
            )
    for part in image.pre_processing_function:
        if part.format not in PROGRAM_FORMATS:
            raise StepError(f"pre_processing_function {part.text} is code, and nothing of a description is executed")


def _merged_keys(image: InputPart, chosen: ChosenFile, given: set[str]) -> dict[str, Any]:
    """Of the scaling that is stated, which must be what the program does where there is one."""
    stated, named = _stated_scaling(image, chosen), _programs_named(image)
    if "transform" in given:
        return stated
    if len(named) > 1:
        raise StepError(f"pre_processing_function names several programs ({', '.join(named)})")
    name = program_before(image)
    if not has_program(chosen.path, name):
        if named:
            raise StepError(f"pre_processing_function names the program {name}, which is not in {chosen.path.name}")
        return stated
    measured = measured_keys(chosen.path, name, image.channels)
    if stated and not are_alike(stated, measured):
        raise StepError(
            f"value_scaling ({stated}) and the program {name} of the archive ({measured or 'which changes nothing'}) "
            f"differ, and only one of them can be meant"
        )
    return {**measured, **stated}


def _stated_scaling(image: InputPart, chosen: ChosenFile) -> dict[str, Any]:
    """What the input states; a file of ours has the same numbers to the last digit."""
    stated = scaling_keys(image)
    trained = {name: value for name, value in (chosen.meta.input if chosen.meta else {}).items() if name in LINEAR}
    if trained and stated and not are_alike(stated, trained):
        raise StepError(f"value_scaling ({stated}) and the file of the weights ({trained}) differ")
    return trained or stated


def program_before(image: InputPart) -> str:
    """Name of the program that changes pixels before the network, where the archive holds one."""
    return next(iter(_programs_named(image)), TRANSFORMS)


def _programs_named(image: InputPart) -> list[str]:
    return [str(part.expression) for part in image.pre_processing_function if part.format in PROGRAM_FORMATS]
