"""What the numbers of a network are called and stored as: the layer of values of a job."""

from __future__ import annotations

from pipeline.config import ClassConfig, Config, ModelConfig
from pipeline.config.numbers import INTEGER_LIMITS, PerChannel
from pipeline.errors import ConfigError, ModelError
from pipeline.store.values import ValuesSpec


def resolve_values(config: Config, channels: int, classes: list[ClassConfig] | None) -> ValuesSpec:
    """The layer of values of a network with so many output channels; without channels where none is asked for.

    Raises
    ------
    ConfigError
        A list has another length than the channels.
    """
    output = config.output
    if "values" not in output.layers:
        return ValuesSpec()
    integers = output.values_dtype in INTEGER_LIMITS
    return ValuesSpec(
        channels=_names(config, channels, classes),
        dtype=output.values_dtype,
        scale=_per_channel("values_scale", output.values_scale or 1.0, channels) if integers else (),
        offset=_per_channel("values_offset", output.values_offset or 0.0, channels) if integers else (),
        nodata=_nodata(config) if integers else None,
    )


def values_sentence(values: ValuesSpec) -> str | None:
    """What a plan says of the layer of values; None where there is none."""
    if not values.channels:
        return None
    count = len(values.channels)
    names = ", ".join(values.channels[:MAX_NAMES]) + (f" and {count - MAX_NAMES} more" if count > MAX_NAMES else "")
    text = f"values of {count} channel{'s' if count > 1 else ''} ({names}) as {values.dtype}"
    if values.nodata is None:
        return f"{text}, NaN where nothing is known"
    low, high = values.range_of(0)
    limits = f"{values.channels[0]} holds {low:g} to {high:g}"
    return f"{text}, nodata {values.nodata}; {limits}, and what lies beyond is clipped"


MAX_NAMES = 8
"""Channels that are named in a sentence."""


def _names(config: Config, channels: int, classes: list[ClassConfig] | None) -> tuple[str, ...]:
    """Those of the config, else of the classes where there is one for each channel, else by number."""
    mapped = config.model.output.map is not None  # then channels are of the network, and these are sums
    names = None if mapped else config.model.channels
    if names is None:
        by_class = classes is not None and len(classes) == channels
        return tuple(row.name for row in classes or ()) if by_class else tuple(f"channel{k}" for k in range(channels))
    if len(names) != channels:
        raise ConfigError(
            f"model.channels lists {len(names)} names, but the network returns {channels} channels. Give one name per "
            f"channel, in the network's order, or leave it out."
        )
    return tuple(names)


def _per_channel(key: str, value: PerChannel, channels: int) -> tuple[float, ...]:
    listed = value if isinstance(value, list) else [value] * channels
    if len(listed) != channels:
        raise ConfigError(
            f"output.{key} lists {len(listed)} numbers, but the network returns {channels} channels. Give one number, "
            f"or one per channel."
        )
    return tuple(map(float, listed))


def _nodata(config: Config) -> int:
    """The lowest number of the dtype, unless a store without a mask is given another."""
    given = "auto" if "mask" in config.output.layers else config.output.nodata
    return INTEGER_LIMITS[config.output.values_dtype][0] if given == "auto" else int(given)


def require_stated_channels(model: ModelConfig, channels: int) -> None:
    """Raise ModelError where a network returns another number of channels than its description states."""
    if model.stated_channels not in (None, channels):
        raise ModelError(
            f"model.path {model.place} contradicts its weights: it describes {model.stated_channels} channels of what "
            f"is returned, and the network returns {channels}. Take the package as it was published, mend the "
            f"description, or name another output by model.output.key."
        )
