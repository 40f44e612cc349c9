"""What the values of labels mean: class codes, or nothing known; as a file says it or a command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pipeline.errors import LabelsError
from pipeline.interfaces import IGNORE
from pipeline.sources.qupath_class import qupath_class_name
from pipeline.store.spec import ClassRow

Value = int | str
"""A value of the labels, or the name or code of a class."""
MAX_VALUES_IN_MESSAGE = 5
"""Values that are no class, named in one message."""


@dataclass(frozen=True, kw_only=True)
class LabelMapping:
    """The class code of every value that is known."""

    path: str
    """Of the labels, for messages."""
    table: dict[Value, int]
    """Value → class code, or IGNORE."""
    outside: int
    """Class code of what labels leave out: of the background where there is one, else IGNORE."""
    classes: str
    """The class list in words."""
    listed: bool = False
    """Whether the user lists what each value means."""

    def code_of(self, value: Any) -> int:
        """The class code of one attribute; nothing (null, NaN, an empty text) means IGNORE. Raises LabelsError."""
        value = qupath_class_name(value)
        if value is None or value != value or value == "":
            return IGNORE
        # a class may be named "3"
        key = value if isinstance(value, str) and value in self.table else _normalised(value)
        if key not in self.table:
            raise self._unknown([key])
        return self.table[key]

    def codes_of_pixels(self, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
        """Class codes of pixels, shaped as they are; IGNORE where they are not valid. Raises LabelsError."""
        keys, codes = self._sorted
        where = np.searchsorted(keys, values).clip(max=len(keys) - 1)
        matches = keys[where] == values
        if (valid & ~matches).any():
            raise self._unknown(np.unique(values[valid & ~matches]).tolist())
        return np.where(valid, codes[where], np.uint16(IGNORE))

    @cached_property
    def _sorted(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
        numbers = sorted(key for key in self.table if isinstance(key, int))
        return np.array(numbers, dtype=np.int64), np.array([self.table[key] for key in numbers], dtype=np.uint16)

    def _unknown(self, values: list[Any]) -> LabelsError:
        examples = ", ".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in values[:MAX_VALUES_IN_MESSAGE]
        )
        more = f" and {len(values) - MAX_VALUES_IN_MESSAGE} more" if len(values) > MAX_VALUES_IN_MESSAGE else ""
        first = f"{values[0]:g}" if isinstance(values[0], float) else str(values[0])
        typed, key = shlex.quote(first), json.dumps(first, ensure_ascii=False) if isinstance(values[0], str) else first
        return LabelsError(
            f"{self.path} holds {examples}{more}, which "
            f"{'is no class' if len(values) == 1 else 'are no classes'}; the classes are {self.classes}. "
            f"Pass over a value with --ignore {typed} (labels.ignore: [{key}]), or say which class it means "
            f"with --values {typed}=CLASS "
            f"(labels.values: {{{key}: CLASS}}; then every value must be listed)."
        )


def label_mapping(
    path: str, classes: Sequence[ClassRow], values: Mapping[Value, Value] | None, ignore: Sequence[Value]
) -> LabelMapping:
    """What values mean, from the class list and what the user says of it.

    Parameters
    ----------
    path
        Of the labels, for messages.
    classes
        The class list. A class whose role is ``ignore`` means IGNORE.
    values
        Value → code or name of its class; without it, a value is the code or the name itself.
    ignore
        Values that mean nothing, or names of classes that are passed over.

    Raises
    ------
    LabelsError
        ``values`` names a class that is not in the list.
    """
    listed = ", ".join(f"{row.code} {row.name}" for row in classes)
    codes: dict[Value, int] = {
        key: IGNORE if row.role == "ignore" else row.code for row in classes for key in (row.name, row.code)
    }
    table = (
        codes if values is None else {_normalised(key): class_code(path, classes, name) for key, name in values.items()}
    )
    passed = {codes[name] for name in ignore if isinstance(name, str) and name in codes}
    table = {key: IGNORE if code in passed or codes.get(code) == IGNORE else code for key, code in table.items()}
    outside = next((row.code for row in classes if row.role == "background" and row.code not in passed), IGNORE)
    return LabelMapping(
        path=path,
        table={**table, **{_normalised(value): IGNORE for value in ignore}},
        outside=outside,
        classes=listed,
        listed=values is not None,
    )


def class_code(path: str, classes: Sequence[ClassRow], value: Value) -> int:
    """The code of a class that is given by name or code. Raises LabelsError where there is none."""
    for row in classes:
        if value in (row.name, row.code) or str(value) == str(row.code):
            return row.code
    listed = ", ".join(f"{row.code} {row.name}" for row in classes)
    raise LabelsError(
        f"The labels {path} are said to mean {value!r}, which is no class; the classes are {listed}. Give "
        f"the name or the code of one."
    )


def _normalised(value: Any) -> Value:
    """``"3"`` and ``3.0`` are 3, as files of many makers have them."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else text
    return int(value) if isinstance(value, int | float | np.number | np.bool_) and value == int(value) else str(value)


def parse_values(texts: Sequence[str] | None) -> dict[int | str, int | str] | None:
    """``0=0,255=wood`` and repeated options → what each value means. Raises LabelsError."""
    return cast(dict[int | str, int | str], parse_pairs("--values", texts, "0=0,255=water")) if texts else None


def parse_pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    """What stands left and right of the equals signs of an option, in the order given.

    Raises
    ------
    LabelsError
        It is of another form, or gives two meanings to one value.
    """
    pairs: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        value, name = (side.strip() for side in part.partition("=")[::2])
        if not value or not name:
            raise LabelsError(
                f"{option} {','.join(texts)} is not of the form VALUE=CLASS,VALUE=CLASS, such as {option} {example}."
            )
        if pairs.setdefault(value, name) != name:
            raise LabelsError(f"{option} gives {value} twice, as {pairs[value]} and as {name}. Leave one of them out.")
    return pairs


def parse_ignore(texts: Sequence[str] | None) -> list[int | str]:
    """``-1,255`` and repeated options → values that say nothing."""
    return [part.strip() for text in texts or () for part in text.split(",") if part.strip()]
