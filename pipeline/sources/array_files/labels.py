"""What the places along a dimension are called: by its coordinate, or by the channels of an OME-Zarr."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError

Label = str | float
TOLERANCE = 1e-6
"""Share by which a number may differ from a coordinate and still be the same."""
MAX_LISTED_LABELS = 10
"""Labels that a message lists."""
SECOND_NS = 10**9
UNITS_NS = {
    "d day": 86400 * SECOND_NS,
    "h hr hour": 3600 * SECOND_NS,
    "min minute": 60 * SECOND_NS,
    "s sec second": SECOND_NS,
    "ms msec millisecond": 10**6,
    "us microsecond": 10**3,
    "ns nanosecond": 1,
}
"""Nanoseconds of the units of time by CF; months and years have no fixed length."""
CALENDARS = ("", "standard", "gregorian", "proleptic_gregorian")
GREGORIAN = np.datetime64("1582-10-15")
"""First day of the calendar, before which the standard one of CF is Julian."""
_SINCE = re.compile(
    r"\s*(\w+)\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?)?.*"
)
_OFFSET = re.compile(r".*[+-]\d{1,2}:?\d{2}\s*$")


def labels_of(values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> list[Label]:
    """Names, dates in ISO 8601, or numbers of a coordinate.

    Parameters
    ----------
    values
        (places,) of the coordinate, or (places, characters) of a text in bytes.
    attributes
        Of the coordinate.
    """
    names = _flag_names(values, attributes)
    if names is not None:
        return list(names)
    if values.dtype.kind == "S" and values.ndim == 2:
        values = np.array([b"".join(row.tolist()) for row in values])
    if values.dtype.kind == "M":
        return list(_dates(values))
    if values.dtype.kind in "iuf":
        dates = _cf_dates(values, attributes)
        return list(_dates(dates)) if dates is not None else [number.item() for number in values]
    texts = [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in values.tolist()]
    return [text.rstrip("\x00 ") for text in texts]


def position_of(wanted: Label, labels: Sequence[Label] | None, name: str, length: int) -> int:
    """The place, from 0, that a value of ``source.select`` names along a dimension.

    Parameters
    ----------
    wanted
        A label, a date to whatever precision, or a place from 0 where labels are names or there are none.
    labels
        Of the dimension; None where it has none.
    name, length
        Of the dimension.

    Raises
    ------
    SourceError
        None or several are called so.
    """
    if labels is None:
        if isinstance(wanted, int) and 0 <= wanted < length:
            return wanted
        raise SourceError(
            f"{name} has no labels and {length} places, and source.select asks for {wanted}. Give one of 0 to "
            f"{length - 1}, or max or mean of all."
        )
    matches = [place for place, label in enumerate(labels) if _is_called(label, wanted)]
    if len(matches) == 1:
        return matches[0]
    if not matches and isinstance(wanted, int) and 0 <= wanted < length and _are_names(labels):
        return wanted
    if not matches:
        raise SourceError(
            f"source.select asks for {name} {wanted}, but there is none. It has {listed_labels(labels)}. Name one of "
            f"these."
        )
    listed = listed_labels([labels[place] for place in matches])
    raise SourceError(f"source.select asks for {name} {wanted}, which several are: {listed}. Name one of them in full.")


def listed_labels(labels: Sequence[Label]) -> str:
    """Labels as a message lists them: the first ones and the last, where there are many."""
    texts = [f"{label:g}" if isinstance(label, float) else str(label) for label in labels]
    if len(texts) <= MAX_LISTED_LABELS:
        return ", ".join(texts)
    return f"{', '.join(texts[: MAX_LISTED_LABELS - 1])}, … and {texts[-1]} ({len(texts)} in all)"


def _are_names(labels: Sequence[Label]) -> bool:
    """Whether labels are texts that no number can be taken for."""
    return all(isinstance(label, str) and not re.match(r"[-+.]?\d", label) for label in labels)


def _is_called(label: Label, wanted: Label) -> bool:
    if isinstance(label, str):
        text = str(wanted).strip()
        return label == text or (_is_date(label) and _is_within(label, text))
    try:
        number = float(wanted)
    except ValueError:
        return False
    return abs(number - label) <= TOLERANCE * abs(label)


def _is_date(label: str) -> bool:
    return re.match(r"\d{4}-\d\d-\d\dT", label) is not None


def _is_within(date: str, wanted: str) -> bool:
    """Whether a date is the one that is given, to the precision to which it is given."""
    text = wanted.replace(" ", "T").removesuffix("Z").removesuffix("+00:00")
    return date.startswith(text) and (len(date) == len(text) or date[len(text)] in "-T:.")


def _dates(values: npt.NDArray[Any]) -> list[str]:
    """Texts to the second, or as exactly as is needed."""
    whole = values.astype("M8[s]")
    return [str(text) for text in np.datetime_as_string(whole if (whole == values).all() else values)]


def _cf_dates(values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> npt.NDArray[Any] | None:
    """Dates by the attribute ``units`` of CF; None where it names no moment, or another calendar."""
    units = str(attributes.get("units", ""))
    match = _SINCE.fullmatch(units)
    if match is None or _OFFSET.fullmatch(units) or str(attributes.get("calendar", "")).lower() not in CALENDARS:
        return None
    step_ns = _unit_ns(match[1].lower())
    year, month, day, hour, minute = (int(part or 0) for part in match.groups()[1:6])
    if not step_ns or not np.isfinite(values).all():
        return None
    origin = np.datetime64(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00", "s")
    if origin < GREGORIAN and str(attributes.get("calendar", "")).lower() != "proleptic_gregorian":
        return None
    nanoseconds = round(float(match[7] or 0) * 1e9)
    if values.dtype.kind in "iu" and step_ns % SECOND_NS == 0 and nanoseconds == 0:
        return np.asarray(origin + values.astype(np.int64) * np.timedelta64(step_ns // SECOND_NS, "s"))
    milliseconds = np.rint(values.astype(np.float64) * (step_ns / 1e6) + nanoseconds / 1e6).astype(np.int64)
    return np.asarray(origin.astype("M8[ms]") + milliseconds.astype("m8[ms]"))


def _unit_ns(name: str) -> int:
    """Nanoseconds of a unit, in the singular or the plural; 0 of one without a fixed length."""
    sizes = {unit: size for units, size in UNITS_NS.items() for unit in units.split()}
    return sizes.get(name) or sizes.get(name.removesuffix("s"), 0)


def _flag_names(values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> list[str] | None:
    """Names that a coordinate of codes gives its values: a list, or the flags of CF."""
    names, flags, meanings = (attributes.get(key) for key in ("names", "flag_values", "flag_meanings"))
    if isinstance(names, list) and len(names) == len(values):
        return [str(name) for name in names]
    texts = str(meanings).split() if isinstance(meanings, str) else []
    codes = np.ravel(flags).tolist() if flags is not None else []
    if values.ndim != 1 or len(codes) != len(texts) or not set(values.tolist()) <= set(codes):
        return None
    return [texts[codes.index(code)] for code in values.tolist()]
