"""Bands of all inputs of a network side by side, each input from a source of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.sources.stacked.names import KEY
from pipeline.sources.stacked.stacked_source import StackedSource


@dataclass(frozen=True, kw_only=True)
class InputsSource(StackedSource):
    """Sources of the inputs of one network. Each part bears the name of its input."""

    sections: tuple[str, ...]
    """Section of the config that each part is read by: ``source``, or such as ``model.inputs.after``."""
    places: tuple[str, ...]
    """What each part is read from, as notes name it."""
    reference: str = ""
    """What gives the grid and no band; empty where the first part gives it."""

    def identity(self) -> dict[str, Any]:
        """The grid, and of each input the identity of its source, by the name of the input."""
        parts = {
            f"inputs.{part.name}.{key}": value
            for part in self.parts
            for key, value in {"warp": None, **part.source.identity()}.items()
        }
        return {"grid": self.grid.as_dict(), "inputs": [part.name for part in self.parts], **parts}

    def _band_notes(self) -> Iterator[str]:
        for part, place in zip(self.parts, self.places, strict=True):
            count = f"{part.source.bands} band{'s' if part.source.bands > 1 else ''}"
            yield f"the input {part.name} is {place}, {count} of {part.source.dtype}"
        if self.reference:
            yield f"source is {self.reference}, which gives the grid and of which no band is read"

    def _part_notes(self) -> Iterator[str]:
        notes: dict[str, list[str]] = {}
        for part, section in zip(self.parts, self.sections, strict=True):
            for note in part.source.notes:
                notes.setdefault(with_keys_of_section(note, section), []).append(part.name)
        return (f"{', '.join(names)}: {note}" for note, names in notes.items())


def with_keys_of_section(message: str, section: str) -> str:
    """A message of a source with its keys as the config has them, such as ``model.inputs.after.bands``.

    Parameters
    ----------
    message
        Of a source by itself.
    section
        That it is read by.
    """
    return KEY.sub(lambda _: f"{section}.", message)


def identity_of_input(stored: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a fingerprint says of the source of one input, with the keys that a source has alone."""
    prefix = f"source.inputs.{name}."
    return {f"source.{key.removeprefix(prefix)}": value for key, value in stored.items() if key.startswith(prefix)}
