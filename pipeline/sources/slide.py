"""``kind: slide``: whole-slide images, at a level as it is stored or at any µm per px."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, SourceError
from pipeline.sources.gdal.opening import without_sample
from pipeline.sources.gdal.pixel_size import PixelSize, given_size, printed_note
from pipeline.sources.slide_files.measured_levels import band_reader, measured_level
from pipeline.sources.slide_files.opening import open_slide_file
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.pyramid import MPP_TOLERANCE, Level, SlideFile, coarsest_level, levels_by_size
from pipeline.sources.slide_files.sampling import sampled_at, stored_pixels
from pipeline.sources.slide_files.slide_source import SlideSource


def open_source(config: SourceConfig, timeout: float | None = None) -> SlideSource:
    """Open a slide, and choose the level that is read.

    Parameters
    ----------
    config
        Which slide, and at which level or µm per px.
    timeout
        Nothing: a slide lies on a disk.

    Raises
    ------
    SourceError
        It is missing, no slide, has no such level or band, or says nothing of its µm per px where these are asked for.
    ExtraError
        A library of the extra ``slides`` is missing.
    """
    if config.scale_tags:
        raise SourceError(
            "source.scale_tags is true, but slides have no scale and offset. Leave source.scale_tags out."
        )
    config = config.model_copy(update={"path": without_sample(config.file)})
    file = open_slide_file(config.file, PlaneChoice.of(config))
    try:
        return _opened(config, file)
    except ReadError as error:
        raise SourceError(
            f"{str(error).rstrip('.')}. Its levels were compared with each other; give a whole copy of the slide, or "
            f"another source.level or source.mpp."
        ) from error
    finally:
        file.close()


def _opened(config: SourceConfig, file: SlideFile) -> SlideSource:
    levels = levels_by_size(file)
    size, size_notes = size_of(config, file)
    channels = chosen_channels(config, file)
    level = _level(config, file, levels, size)
    if level.index:
        level = measured_level(band_reader(file, levels, channels[0]), file.shapes[0], level)
    sampling = stored_pixels(level) if config.mpp is None else sampled_at(config.mpp, level, file.shapes[0], size)
    return SlideSource(
        path=config.file,
        level=level,
        grid=sampling.grid(size),
        step=sampling.step,
        corner=sampling.corner,
        method=config.resampling,
        channels=channels,
        dtype=file.dtype,
        nodata=config.nodata,
        rule=config.nodata_rule,
        choice=PlaneChoice.of(config),
        rgb=tuple(channels.index(k) for k in range(3)) if file.rgb and {0, 1, 2} <= set(channels) else (),
        notes=(*size_notes, *_level_notes(config, levels, level, size), *file.notes),
    )


def size_of(config: SourceConfig, file: SlideFile) -> tuple[PixelSize | None, list[str]]:
    """The size of a pixel of level 0, and what is to be said of it."""
    given, stated = given_size(config.pixel_size), file.stated_size
    if given is not None:
        instead = f", in place of {stated.text}" if stated else ""
        return given, [f"{given.text}{instead}"]
    if stated is None or stated.is_plausible:
        return stated, [] if stated is None else [stated.note]
    return None, [printed_note(stated)]


def chosen_channels(config: SourceConfig, file: SlideFile) -> tuple[int, ...]:
    """Bands that are read, from 0: those that are named, else all but alpha."""
    every = [k for k in range(file.bands) if k != file.alpha]
    channels = every if config.numbers is None else [number - 1 for number in config.numbers]
    missing = [channel + 1 for channel in channels if channel >= file.bands]
    if missing:
        raise SourceError(
            f"source.bands asks for band {missing[0]}, but {config.file} has {file.bands} bands. Bands count from 1."
        )
    return tuple(channels)


def _level(config: SourceConfig, file: SlideFile, levels: Sequence[Level], size: PixelSize | None) -> Level:
    """The level that pixels are taken from."""
    if config.mpp is not None:
        _require_size(config, file, size)
        assert size is not None
        sizes, usable = (size.height, size.width), list(levels)
        while not file.is_exact((level := coarsest_level(usable, sizes, config.mpp)).index):
            usable.remove(level)
        return level
    index = config.level or 0
    if index >= len(levels):
        shapes = ", ".join(f"{k} of {rows} × {cols} px" for k, (rows, cols) in enumerate(file.shapes))
        raise SourceError(f"source.level is {index}, but {config.file} has the levels {shapes}. Give one of these.")
    if not file.is_exact(index):
        raise SourceError(
            f"source.level is {index}, whose pixels OpenSlide interpolates anew for each window of {config.file}: "
            f"windows would differ from the whole. Give source.mpp, about {_mpp_of(levels[index], size)}, which is "
            f"made of level 0."
        )
    return levels[index]


def _mpp_of(level: Level, size: PixelSize | None) -> str:
    return f"{level.cols.scale:.4g} times that of level 0" if size is None else f"{level.cols.scale * size.width:.4g}"


def _require_size(config: SourceConfig, file: SlideFile, size: PixelSize | None) -> None:
    """Raise SourceError where nothing says how large a pixel is."""
    if size is None:
        stated = file.stated_size
        problem = f"says nothing plausible of it ({stated.text})" if stated else "says nothing of it"
        raise SourceError(
            f"source.mpp is {config.mpp:g} µm per px, which needs the size of the slide's own pixels, and "
            f"{config.file} {problem}. Give source.pixel_size, the µm per px of level 0, such as 0.25 of a 40× scan; "
            f"or source.level."
        )


def _level_notes(config: SourceConfig, levels: Sequence[Level], level: Level, size: PixelSize | None) -> list[str]:
    """Which level is read, and how it becomes what is asked for."""
    rows, cols = level.shape
    scale = f", {level.cols.scale:.5g} px of level 0 per px" if level.index else ""
    notes = [f"level {level.index} of {len(levels)} is read, {rows} × {cols} px{scale}"]
    if config.mpp is None or size is None:
        return notes
    finest = max(size.height, size.width)
    method_text = f"brought to {config.mpp:g} µm per px by {config.resampling}"
    finer = f", finer than the slide's own {finest:g}: what lies between its pixels is made up"
    return [*notes, f"it is {method_text}{finer if config.mpp < finest / (1 + MPP_TOLERANCE) else ''}"]
