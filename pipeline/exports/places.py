"""Where exports lie: beside their store, by its name; never in the place of a file of somebody else."""

from __future__ import annotations

from pipeline.errors import ConfigError
from pipeline.exports.mark import is_foreign
from pipeline.locations import Place


def default_place(store: Place, ending: str, layer: str | None = None) -> Place:
    """The place of a file beside a store.

    Parameters
    ----------
    store
        ``DIR/NAME.zarr``.
    ending
        Such as ``.tif``.
    layer
        Part of the name of a file that holds one layer.

    Returns
    -------
    Place
        ``DIR/NAME.LAYER.tif``, or ``DIR/NAME.tif``.
    """
    return store.with_name(f"{store.stem}.{layer}{ending}" if layer else f"{store.stem}{ending}")


def fallback_place(store: Place, ending: str, layer: str | None = None) -> Place:
    """The place that is taken where somebody else's file has the first: ``DIR/NAME.zarr.LAYER.tif``."""
    return store.with_name(f"{store.name}.{layer}{ending}" if layer else f"{store.name}{ending}")


def free_place(store: Place, ending: str, layer: str | None) -> Place:
    """The place beside a store that no foreign file has.

    Raises
    ------
    ConfigError
        Foreign files have both.
    """
    for place in (first := default_place(store, ending, layer), fallback_place(store, ending, layer)):
        if not is_foreign(place, store.name):
            return place
    raise ConfigError(
        f"{first} and {place} exist, were not written for {store.name}, and were left as they are. Move one of them "
        f"away, or set output.exports: []."
    )


def require_replaceable(place: Place, store: Place) -> None:
    """Raise ConfigError where a file stands in a place that was not written for a store."""
    if is_foreign(place, store.name):
        raise ConfigError(
            f"{place} exists, was not written for {store.name}, and was left as it is. "
            f"Move it away, give another file (out), or export with --overwrite."
        )
