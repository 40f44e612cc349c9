"""A preview: the window, one pass, pictures, and the page, written into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.geometry.packed_mask import PackedMask
from pipeline.inference.recipe import Recipe
from pipeline.planning.area_meta import small_mask
from pipeline.planning.load_network import LoadedNetwork, load_network
from pipeline.preview.band_numbers import band_numbers
from pipeline.preview.choose_window import ChosenWindow, most_varied, window_at, window_at_pixel
from pipeline.preview.contact_sheet import Cell, draw_contact_sheet
from pipeline.preview.describe_pass import Description, describe_pass
from pipeline.preview.one_pass import WindowPixels, choose_extent, infer_window, read_pixels
from pipeline.preview.outcome import ClassShare, class_shares, mean_confidence, window_warnings
from pipeline.preview.page import Figure, PageContent, percent, render_preview, short_number
from pipeline.preview.pictures import PREVIEW_MARK, Pictures, band_label, draw_pictures, png, png_of, raster_image
from pipeline.preview.sweep import KeySweep
from pipeline.reports.area_picture import draw_area, tissue_image
from pipeline.runtime.transfer.base import Arrays
from pipeline.sources.band_tags import BandTags, read_band_tags
from pipeline.sources.gdal.options import mask_urls
from pipeline.store.files import belongs_to_others, files_at
from pipeline.store.spec import ClassRow

PAGE_NAME = "preview.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """What is asked for."""

    folder: Path
    at: tuple[float, float] | None = None
    """x, y in the raster's CRS."""
    pixel: tuple[int, int] | None = None
    """Row, column, counted from 0."""
    side: int | None = None
    """Of the window, px."""
    sweep: KeySweep | None = None
    swept: Callable[[str], Config] | None = None
    """The config with one value more, as ``--set`` takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What was written, and what there is to say of it."""

    files: tuple[Path, ...]
    description: Description
    classes: tuple[ClassShare, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass and its pictures."""

    recipe: Recipe
    rows: tuple[ClassRow, ...]
    arrays: Arrays
    pictures: Pictures
    classes: list[ClassShare]


def make_preview(config: Config, request: PreviewRequest) -> Preview:
    """Look at one window, and write pictures and page.

    Parameters
    ----------
    config
        Of the job.
    request
        The window, the folder, and a sweep.

    Raises
    ------
    InputError
        The config, source, network or window is wrong, or a file of somebody else would be replaced.
    PlanError
        One pass does not fit the memory.
    """
    _require_free(request)
    loaded = load_network(with_shown_layers(config))
    recipe, rows = loaded.recipe(loaded.config)
    extent = choose_extent(loaded, request.side, len(rows))
    chosen = _choose(loaded, request, extent.side)
    read, tags = read_pixels(loaded, chosen.window, extent), read_band_tags(loaded.source)
    shown = _pass(loaded, recipe, rows, read, tags)
    cells = list(_sweep(loaded, request, read, tags))
    description = describe_pass(loaded, recipe, read, chosen, extent)
    warnings = window_warnings(read, recipe, shown.classes)
    names = [band_label(tags, k) for k in range(loaded.source.bands)]
    content = PageContent(
        title=Path(str(config.output.path)).stem,
        warnings=warnings,
        figures=[*_figures(shown, description), *_area_figure(loaded, tags)],
        facts=description.facts,
        bands=band_numbers(read, recipe.normalisation, names),
        classes=shown.classes,
        sweep=[_cell_figure(cell) for cell in cells],
        sweep_key=request.sweep.key if request.sweep else "",
    )
    contents = {f"{figure.title}.png": figure.png for figure in content.figures}
    if cells:
        legend = [(row.name, row.rgb) for row in rows]
        contents["contact.png"] = png_of(draw_contact_sheet(cells, legend))
    contents[PAGE_NAME] = render_preview(content).encode()
    return Preview(
        files=_write(request.folder, contents),
        description=description,
        classes=tuple(shown.classes),
        warnings=tuple(warnings),
    )


def with_shown_layers(config: Config) -> Config:
    """The config with the layers that a preview shows: mask and confidence, or values alone."""
    layers = ["mask", "confidence"] if "mask" in config.output.layers else ["values"]
    return config.model_copy(update={"output": config.output.model_copy(update={"layers": layers})})


def _choose(loaded: LoadedNetwork, request: PreviewRequest, side: int) -> ChosenWindow:
    grid = loaded.source.grid
    if request.at is not None:
        return window_at(grid, *request.at, side)
    if request.pixel is not None:
        return window_at_pixel(grid, *request.pixel, side)
    return most_varied(loaded.source, loaded.area, side)


def _pass(
    loaded: LoadedNetwork, recipe: Recipe, rows: tuple[ClassRow, ...], read: WindowPixels, tags: BandTags
) -> Pass:
    arrays = infer_window(loaded, recipe, read)
    return Pass(
        recipe=recipe,
        rows=rows,
        arrays=arrays,
        pictures=draw_pictures(read, arrays, recipe, rows, tags),
        classes=class_shares(arrays, rows, recipe) if rows else [],
    )


def _figures(shown: Pass, description: Description) -> list[Figure]:
    pictures = shown.pictures
    bands = "; ".join(name for name, _ in pictures.stretched)
    captions = {
        "mask": ("in the colours of the classes", f"the class of each pixel of {description.window}"),
        "confidence": ("black is 0, white is 1", f"the probability of the chosen class in {description.window}"),
        "values": ("; ".join(name for name, _ in pictures.values), f"what the network returns in {description.window}"),
    }
    return [
        Figure(png=png(pictures.image), title="image", caption=bands, alt=f"the raster in {description.window}"),
        *(
            Figure(png=png(colors), title=name, caption=captions[name][0], alt=captions[name][1])
            for name, colors in pictures.outputs.items()
        ),
    ]


def _area_figure(loaded: LoadedNetwork, tags: BandTags) -> list[Figure]:
    """What is asked for over the raster; none where everything is."""
    if loaded.area is None:
        return []
    mask = PackedMask.from_dict(small_mask(loaded.area, loaded.source.grid)).all()
    image = tissue_image(loaded.areas.tissue)
    colours = draw_area(mask, raster_image(loaded.source, tags, max(mask.shape)) if image is None else image)
    caption = "; ".join([f"{percent(float(mask.mean()))} of the raster, in {loaded.area.place}", *loaded.area.notes])
    alt = "what of the raster is asked for, outlined; the rest is pale"
    return [Figure(png=png(colours), title="area", caption=mask_urls(caption), alt=alt)]


def _sweep(loaded: LoadedNetwork, request: PreviewRequest, read: WindowPixels, tags: BandTags) -> Iterator[Cell]:
    if request.sweep is None or request.swept is None:
        return
    for value in request.sweep.values:
        config = with_shown_layers(request.swept(request.sweep.override(value)))
        recipe, rows = loaded.recipe(config)
        swept = _pass(loaded, recipe, rows, read, tags)
        colors = next(iter(swept.pictures.outputs.values()))
        yield Cell(colors=colors, lines=(request.sweep.label(value), _summary(swept)))


def _summary(swept: Pass) -> str:
    """Mean confidence and the two largest classes; or the range of the first channel."""
    if not swept.classes:
        return swept.pictures.values[0][0]
    confidence = mean_confidence(swept.arrays["confidence"], swept.arrays["mask"] != swept.recipe.nodata)
    largest = sorted(swept.classes, key=lambda row: -row.share)[:2]
    sure = "no class" if confidence is None else f"confidence {short_number(confidence)}"
    return ", ".join([sure, *(f"{row.name} {percent(row.share)}" for row in largest if row.share)])


def _cell_figure(cell: Cell) -> Figure:
    label, summary = cell.lines
    return Figure(png=png(cell.colors), title=label, caption=summary, alt=f"what the network gives with {label}")


def _require_free(request: PreviewRequest) -> None:
    """Raise ConfigError where a file of somebody else would be replaced, before anything is read."""
    names = ("image.png", "mask.png", "confidence.png", "values.png", "area.png", "contact.png", PAGE_NAME)
    foreign = [name for name in names if belongs_to_others(request.folder / name, PREVIEW_MARK)]
    if foreign:
        raise ConfigError(
            f"{request.folder / foreign[0]} is no file of a preview, and was left as it is. Give another folder by "
            f"--out."
        )


def _write(folder: Path, contents: dict[str, bytes]) -> tuple[Path, ...]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            files_at(folder).put(name, data)
    except OSError as error:
        raise ConfigError(
            f"The preview cannot be written into {folder}: {error.strerror}. Give another folder by --out."
        ) from error
    return tuple(folder / name for name in contents)
