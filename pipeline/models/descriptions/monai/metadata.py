"""``configs/metadata.json`` of a bundle: what the network takes and returns."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.models.descriptions.parts import DocumentPart

DATA_FORMAT = "network_data_format"


class TensorPart(DocumentPart):
    """An input or output, channels first."""

    num_channels: int | None = Field(None, ge=1)
    spatial_shape: tuple[int | str, ...] | None = None
    """Lengths of rows and cols, or what they are multiples of, such as ``32*n``; ``*`` for any."""
    channel_def: dict[Any, str | None] = Field(default_factory=dict)
    """Names by the number of the channel, or of the class."""

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """Lengths in px, None where they vary."""
        return tuple(int(size) if str(size).isdecimal() else None for size in self.spatial_shape or ())

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of their numbers; empty where these do not count from 0."""
        by_number = {str(number): name for number, name in self.channel_def.items()}
        names = [by_number.get(str(number)) for number in range(len(by_number))]
        texts = tuple(name for name in names if name is not None)
        return texts if len(texts) == len(names) and len(set(texts)) == len(texts) else ()


class DataFormatPart(DocumentPart):
    """Section ``network_data_format``."""

    inputs: dict[str, TensorPart] = Field(min_length=1)
    outputs: dict[str, TensorPart] = Field(min_length=1)


class MetadataPart(DocumentPart):
    """The document."""

    name: str | None = None
    task: str | None = None
    version: str | float | None = None
    monai_version: str | float | None = None
    network_data_format: DataFormatPart
