"""Segmentation of images too large for memory: one forward pass over an image that does not fit.

Four functions, the config and the error are what programs and notebooks need; the command ``wholecloth`` offers the
same and more. Each imports heavy libraries when it is called, so that ``import pipeline`` takes no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.config import Config as Config
    from pipeline.locations import Remote
    from pipeline.quality.scene import StoreDataset
    from pipeline.running.report import Report

__version__ = "0.1.0"
__all__ = ["Config", "PipelineError", "open", "plan", "run", "verify"]


def open(store: str | Path | Remote, level: int = 0) -> StoreDataset:  # noqa: A001  pipeline.open reads as xarray.open_dataset does
    """Open a store as an xarray Dataset; pixels are read when they are used.

    Parameters
    ----------
    store
        Folder, or URL such as ``s3://bucket/scene.zarr``.
    level
        0 is the full resolution; each further level halves it.

    Returns
    -------
    StoreDataset
        An xarray.Dataset of the layers ``mask``, ``confidence`` … of dtype uint8, uint16 or float16, with dimensions
        (y, x) or (class, y, x). Its attributes hold ``crs``, ``nodata`` of the mask and ``class_names`` by code. Where
        rioxarray is installed, ``.rio`` knows CRS and transform too. It also has ``path``, ``complete``, ``grid``,
        ``classes``, ``layers`` and ``areas()``, and notebooks show it as a picture and a table.

    Raises
    ------
    StoreError
        There is no store of ours, or it has no such level.
    ExtraError
        xarray is not installed; the extra ``readers`` brings it.

    Examples
    --------
    >>> import pipeline
    >>> scene = pipeline.open("out/job.zarr")
    >>> scene.attrs["nodata"], scene.mask.dims
    (255, ('y', 'x'))
    """
    from pipeline.store.dataset import dataset
    from pipeline.store.reader import store_location

    layers, store_level = dataset(store_location(store), level)
    from pipeline.quality.scene import StoreDataset

    return StoreDataset.of(layers, store_level)


def plan(config: Config | str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Decide everything about a job without running it.

    Parameters
    ----------
    config
        A YAML file, the same as a mapping, or a `Config`. Paths in a mapping are relative to the working directory.

    Returns
    -------
    dict
        The document that ``wholecloth plan --json`` prints: tiles, halo, blocks, memory in bytes by buffer, warnings.

    Raises
    ------
    InputError
        The config, source, network or store is wrong.
    PlanError
        The plan does not fit the memory.

    Examples
    --------
    >>> import pipeline
    >>> decided = pipeline.plan("job.yaml")
    >>> decided["memory"]["projected"] <= decided["memory"]["budget"]
    True
    """
    from pipeline.config.load import config_of
    from pipeline.planning.document import plan_document
    from pipeline.planning.prepare import prepare_job

    return plan_document(prepare_job(config_of(config)))


def run(config: Config | str | Path | Mapping[str, Any], *, fresh: bool = False, quiet: bool = False) -> Report:
    """Run a job, or go on with one that was stopped; progress is printed to stderr, in notebooks as a bar.

    Parameters
    ----------
    config
        As for `plan`.
    fresh
        Delete the store first, if it is one of ours.
    quiet
        Print warnings alone.

    Returns
    -------
    Report
        Blocks, failures, pixels, seconds and the files that were written; ``complete`` says whether every block is
        there.

    Raises
    ------
    PipelineError
        As the command ends with an exit code other than 0, which is the error's ``exit_code``.

    Examples
    --------
    >>> import pipeline
    >>> report = pipeline.run("job.yaml")
    >>> report.complete
    True
    """
    from pipeline.config.load import config_of
    from pipeline.planning.prepare import prepare_job
    from pipeline.running.execute import execute
    from pipeline.runtime.progress import Progress

    with Progress(quiet=quiet) as progress:
        return execute(prepare_job(config_of(config), fresh, silent=quiet), progress, fresh)


def verify(
    store: str | Path | Remote,
    *,
    windows: int = 16,
    seed: int = 0,
    source: str | Path | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Read every chunk of a store and infer seams again with wider halos; nothing is written.

    Parameters
    ----------
    store
        As for `open`.
    windows
        Seams that are looked at, and as many places far from seams.
    seed
        Of the draw of windows.
    source
        Where the source lies now, which a store of ``output.redact`` does not say.
    trust
        Run code that the model's description brings or names, as ``model.trust`` of a config does.

    Returns
    -------
    dict
        The certificate. ``passed`` is True, False, or None where it cannot judge; ``why`` is one sentence.

    Raises
    ------
    InputError
        There is no store of ours, or its source or network is gone or another one.

    Examples
    --------
    >>> import pipeline
    >>> pipeline.verify("out/job.zarr", windows=2)["passed"]
    True
    """
    from pipeline.config.trust import TRUST_OVERRIDE
    from pipeline.quality.verify.verify import job_of
    from pipeline.quality.verify.verify import verify as certificate_of
    from pipeline.store.reader import store_location

    job = job_of(store_location(store), [TRUST_OVERRIDE] if trust else [], None if source is None else str(source))
    return certificate_of(job, lambda _: None, windows=windows, seed=seed)


def __getattr__(name: str) -> Any:
    """`Config` when it is first asked for: pydantic takes a tenth of a second to import."""
    if name == "Config":
        from pipeline.config import Config

        return Config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
