"""Classes of a store that are sums of the network's (``model.output.map``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config import ClassConfig
from pipeline.config.class_map import REST, Channel
from pipeline.errors import ConfigError
from pipeline.models.probabilities import Activation

MAP_KEY = "model.output.map"
ClassMapping = Mapping[str, Sequence[Channel] | str]


def mapped_classes(class_map: ClassMapping, classes: list[ClassConfig] | None) -> list[ClassConfig]:
    """The classes of a store with a map: those of the config by their names, else names alone, in the map's order.

    Raises ConfigError where both name other classes.
    """
    if classes is None:
        return [ClassConfig(name=name) for name in class_map]
    names = [row.name for row in classes]
    if sorted(names) != sorted(class_map):
        raise ConfigError(
            f"{MAP_KEY} makes the classes {', '.join(class_map)}, and model.classes lists {', '.join(names)}. Both "
            f"name the classes of the store: list each once in model.classes, with its color and code, or leave "
            f"model.classes out. Names of the network's own channels are model.channels."
        )
    return classes


def channel_groups(
    class_map: ClassMapping | None, names: Sequence[str] | None, channels: int, activation: Activation
) -> tuple[tuple[int, ...], ...]:
    """Channels of each class of a map, from 0; nothing without a map.

    Parameters
    ----------
    class_map
        In the order of the class table.
    names
        Of the channels, where they are known.
    channels
        That the network returns.
    activation
        What turns them into probabilities.

    Raises
    ------
    ConfigError
        Channels are unknown, left out, or no classes that exclude each other.
    """
    if class_map is None:
        return ()
    if channels == 1 or activation == "sigmoid":
        reason = "returns one logit" if channels == 1 else "returns classes that hold side by side (a sigmoid of each)"
        raise ConfigError(
            f"{MAP_KEY} adds up probabilities of classes that exclude each other, but the network {reason}, whose sum "
            f"is no probability. Leave map out."
        )
    usable_names = names if names is not None and len(names) == channels else None
    numbered = {
        name: ()
        if group == REST
        else tuple(sorted(_number(channel, usable_names, channels, name) for channel in group))
        for name, group in class_map.items()
    }
    _check_once(numbered)
    left = tuple(k for k in range(channels) if all(k not in group for group in numbered.values()))
    has_rest = REST in class_map.values()
    if bool(left) != has_rest:
        listed = ", ".join(_title(k, usable_names) for k in left)
        raise ConfigError(
            f"{MAP_KEY} leaves out {listed} of the network's {channels} channels. Add them to a class, or give one "
            f"class {REST}, such as other: {REST}."
            if left
            else f"{MAP_KEY} gives a class {REST}, but the others name all {channels} channels of the network, which "
            f"leaves none. Leave that class out."
        )
    return tuple(left if class_map[name] == REST else group for name, group in numbered.items())


def _number(channel: Channel, names: Sequence[str] | None, channels: int, subject: str) -> int:
    if isinstance(channel, str) and names is not None and channel in names:
        return list(names).index(channel)
    if isinstance(channel, int) and channel < channels:
        return channel
    choices = f", named {', '.join(names)}" if names is not None else "; none of them has a name: see model.channels"
    raise ConfigError(
        f"{MAP_KEY}.{subject} names channel {channel}, but the network returns {channels} channels, 0 to "
        f"{channels - 1}{choices if isinstance(channel, str) else ''}. Give numbers from 0, or names."
    )


def _check_once(numbered: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ConfigError where a channel is named twice, by its number and by its name."""
    listed = [(k, name) for name, group in numbered.items() for k in group]
    for place, (k, name) in enumerate(listed):
        first = next((other for number, other in listed[:place] if number == k), None)
        if first is not None:
            raise ConfigError(
                f"{MAP_KEY} gives channel {k} to {first} and to {name}, so that it would count twice. Give it to one "
                f"class."
            )


def _title(k: int, names: Sequence[str] | None) -> str:
    return str(k) if names is None else f"{k} ({names[k]})"
