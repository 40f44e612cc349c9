"""What a first config would do to a scene: the network that was seen, with the normalisation and the classes that were written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.config import ModelConfig, SourceConfig
from pipeline.errors import ReadError
from pipeline.inspect import plausibility
from pipeline.inspect.halo.on_raster import Sight
from pipeline.interfaces import Source
from pipeline.planning import activation, classes
from pipeline.planning.first_config.network import CPU, Seen
from pipeline.runtime import resources
from pipeline.runtime.device import rounding
from pipeline.sources import open_source


def warnings(seen: Seen, scene: str, bands: list[int] | None, path: Path, section: Sequence[str]) -> tuple[str, ...]:
    """What does not look right, a sentence each.

    Parameters
    ----------
    seen
        The network.
    scene, bands
        The raster, and its bands where they were asked for.
    path
        File with the weights or the whole network.
    section
        Lines of the config's section ``model``.
    """
    written = YAML(typ="safe").load("\n".join(section))["model"]
    source = open_source(SourceConfig(path=scene, bands=bands or list(range(1, seen.bands + 1))))
    meant = classes.resolve(ModelConfig(**{**written, "path": path}), seen.bands, source.dtype)
    rows = classes.class_rows(meant.classes, seen.locality.classes, meant.model.output)
    chosen = activation.decide(meant.model.output, seen.locality)
    decoding = classes.decoding(meant.model.output, rows, seen.locality.classes, chosen)
    try:
        with rounding("float32", resources.cores(), CPU):
            return tuple(plausibility.warnings(_sight(seen, source, meant), decoding, {row.code: row.name for row in rows}))
    except ReadError:
        return ()


def _sight(seen: Seen, source: Source, meant: classes.Meaning) -> Sight:
    return Sight(
        source=source, network=seen.network, locality=seen.locality, normalisation=meant.normalisation, device=CPU, multiple=seen.locality.stride,
        room=max(plausibility.SIDE, seen.locality.minimum),
    )  # fmt: skip
