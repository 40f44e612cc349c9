"""What a network was seen to do to one image, step by step, whatever library runs it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models.cropping.movement import Movement


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image stands in the arguments of a call."""

    argument: int | str
    """Its number, or its name where it is given by name."""
    item: int | None
    """Its number in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStep:
    """One operation on images."""

    name: str
    """Of its schema."""
    movement: Movement
    inputs: tuple[tuple[Place, int], ...]
    """Where its images stand, and which they are."""
    output: int
    in_place: bool
    sized: Place | None
    """Where the size of its output stands."""
    copies: bool
    """Whether it makes memory of its own."""
    bytes: int
    """Of its output, for each pixel."""
    fused: bool = False
    """Whether it is computed together with the one before, so that its result is not written."""
    freed: tuple[int, ...] = ()
    """Images whose memory is given back once it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Operations in their order; None stands for one that touches no image."""

    steps: tuple[ImageStep | None, ...]
    output: int
    """The image that the network returns."""
    size: tuple[int, int]
    """(rows, cols) of it, when it was recorded."""
