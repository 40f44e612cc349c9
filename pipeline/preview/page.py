"""The page of a preview: one HTML file with its pictures in it, without scripts, and nothing that it asks for."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.preview.band_numbers import SHOWN_PERCENTILES, BandNumbers
from pipeline.preview.outcome import ClassShare
from pipeline.preview.pictures import PREVIEW_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture on the page."""

    png: bytes
    title: str
    caption: str
    alt: str

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """All that the page shows."""

    title: str
    warnings: Sequence[str]
    figures: Sequence[Figure]
    facts: Sequence[tuple[str, str]]
    bands: Sequence[BandNumbers]
    classes: Sequence[ClassShare]
    """Empty where the network's channels mean no class."""
    sweep: Sequence[Figure] = ()
    sweep_key: str = ""


def render_preview(content: PageContent) -> str:
    """The page as HTML; whatever stands in names is shown as text."""
    environment = Environment(
        loader=PackageLoader("pipeline.preview"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=short_number, percent=percent)
    return environment.get_template("preview.html").render(
        page=content, mark=PREVIEW_MARK, percentiles=SHOWN_PERCENTILES
    )


def short_number(value: float) -> str:
    """Four digits, with a minus sign and thousands apart."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.4g}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.1f} %"
