"""scale, offset, mean and std of each band of the network's input."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError
from pipeline.inference.normalise import Normalisation

NORMALISATION_FIELDS = ("scale", "offset", "mean", "std")
NEUTRAL_NUMBERS = {"scale": 1.0, "offset": 0.0, "mean": 0.0, "std": 1.0}


def numbers_per_band(
    key: str, value: float | list[float], bands: int, count_text: str, bands_key: str = "source.bands"
) -> tuple[float, ...]:
    """One number for each band.

    Parameters
    ----------
    key
        Of the config, for messages.
    value
        A number for all bands, or one for each.
    bands
        How many bands there are.
    count_text
        The same in words.
    bands_key
        The key that chooses them.

    Raises
    ------
    ConfigError
        There is another count of numbers, or 0 to divide by.
    """
    if isinstance(value, int | float):
        value = [float(value)] * bands
    if len(value) != bands:
        raise ConfigError(
            f"{key} has {len(value)} values, but {count_text}. Give one number, one value "
            f"per band, or choose the bands with {bands_key}."
        )
    if ".std" in key and 0 in value:
        raise ConfigError(
            f"{key} contains 0, by which nothing can be divided. Give the standard deviation of each band."
        )
    return tuple(float(number) for number in value)


def normalisation_of_inputs(model: ModelConfig) -> Normalisation:
    """What the config says of each input, band after band.

    ``model.input`` is of the input that is read from ``source``, where there is one.

    Raises
    ------
    ConfigError
        A list has another length than the bands of its input, or ``model.input`` has numbers of no input.
    """
    names = [entry.name for entry in model.input_bands]
    given = (
        [] if model.input is None else [name for name in NORMALISATION_FIELDS if name in model.input.model_fields_set]
    )
    if given and set(names) == model.inputs.keys():
        raise ConfigError(
            f"model.input.{given[0]} is of the input that is read from source, but model.inputs names the source of "
            f"every input: {', '.join(names)}. Write it as model.inputs.{names[0]}.input, for each input that needs it."
        )
    scale, offset, mean, std = (tuple(_of_field(model, field)) for field in NORMALISATION_FIELDS)
    return Normalisation(scale=scale, offset=offset, mean=mean, std=std)


def _of_field(model: ModelConfig, field: str) -> Iterator[float]:
    for name, bands in model.input_bands:
        entry = model.inputs.get(name)
        section = f"model.inputs.{name}" if entry is not None else "source"
        key = f"{section}.input.{field}" if entry is not None else f"model.input.{field}"
        numbers = model.input if entry is None else entry.input
        value = NEUTRAL_NUMBERS[field] if numbers is None else getattr(numbers, field)
        count_text = f"{bands} bands are read for it" if bands > 1 else "1 band is read for it"
        yield from numbers_per_band(key, value, bands, count_text, f"{section}.bands")
