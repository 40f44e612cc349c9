"""Classes of an output, in the order of the channels that the network returns."""

from __future__ import annotations

from pipeline.config import ClassConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import ClassPart, OutputPart

UNLISTED_CLASS = "background"


def described_classes(description: MlmDescription, output: OutputPart) -> tuple[ClassConfig, ...]:
    """The class table; empty where no classes are stated.

    Values from 0 to n − 1 are the numbers of the channels. Other values are codes of the mask, and the order of the
    list is that of the channels::

        [{value: 1, name: tree}, {value: 0, name: soil}]      channel 0 soil, channel 1 tree
        [{value: 10, name: soil}, {value: 20, name: tree}]    channel 0 soil, code 10; channel 1 tree, code 20

    Raises
    ------
    ModelError
        There are more or fewer classes than channels.
    """
    parts, channels = output.classes, output.channels
    if not parts:
        return ()
    count = 2 if channels == 1 else channels
    if channels == 1 and len(parts) == 1:
        return (ClassConfig(name=UNLISTED_CLASS, code=0, role="background"), _class(parts[0], parts[0].value or 1))
    if count is not None and output.result is not None and len(parts) != count:
        raise ModelError(
            f"{description.name} contradicts itself: the output {output.name} lists {len(parts)} classes "
            f"({', '.join(part.label for part in parts)}), and its shape {list(output.result.shape)} means {count}. "
            f"Give model.classes in the config, in the order of the network's channels, or ask who published the model."
        )
    if sorted(part.value for part in parts) == list(range(len(parts))):
        return tuple(_class(part, None) for part in sorted(parts, key=lambda part: part.value))
    return tuple(_class(part, part.value) for part in parts)


def _class(part: ClassPart, code: int | None) -> ClassConfig:
    values = {"name": part.label, "color": part.colour, "code": code, "role": "ignore" if part.nodata else None}
    return ClassConfig(**{name: value for name, value in values.items() if value is not None})
