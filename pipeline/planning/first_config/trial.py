"""What a first config would do to a scene.

The network that was seen, with the normalisation and the classes that were written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.config import ModelConfig, SourceConfig
from pipeline.errors import ReadError
from pipeline.inspect import plausibility
from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.interfaces import Source
from pipeline.planning import activation, classes
from pipeline.planning.first_config.network import CPU_DEVICE, NetworkFacts
from pipeline.planning.normalisation import with_stretch
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics
from pipeline.sources import open_source
from pipeline.sources.only import open_areas


def config_warnings(
    network_facts: NetworkFacts,
    settings: Mapping[str, Any],
    bands: list[int | str] | None,
    path: Path,
    section: Sequence[str],
) -> tuple[str, ...]:
    """What does not look right, a sentence each.

    Parameters
    ----------
    network_facts
        The network.
    settings, bands
        The section ``source`` of the scene, and its bands where they were asked for.
    path
        File with the weights or the whole network.
    section
        Lines of the config's section ``model``.
    """
    written = YAML(typ="safe").load("\n".join(section))["model"]
    config = SourceConfig(**settings, bands=bands or list(range(1, network_facts.bands + 1)))
    source = open_source(config)
    resolved = classes.resolve_model(ModelConfig(**{**written, "path": path}), network_facts.bands, source.dtype)
    resolved = with_stretch(resolved, config, source, open_areas(config, source), None)
    rows = classes.class_rows(resolved.classes, network_facts.locality.classes, resolved.model.output)
    chosen = activation.choose_activation(resolved.model.output, network_facts.locality)
    decoding = classes.decoding(resolved.model.output, rows, network_facts.locality.classes, chosen)
    try:
        with fixed_numerics("float32", resources.cores(), CPU_DEVICE):
            return tuple(
                plausibility.plausibility_warnings(
                    _network_on_raster(network_facts, source, resolved), decoding, {row.code: row.name for row in rows}
                )
            )
    except ReadError:
        return ()


def _network_on_raster(network_facts: NetworkFacts, source: Source, resolved: ResolvedModel) -> NetworkOnRaster:
    return NetworkOnRaster(
        source=source,
        network=network_facts.network,
        locality=network_facts.locality,
        normalisation=resolved.normalisation,
        device=CPU_DEVICE,
        multiple=network_facts.locality.stride,
        room=max(plausibility.SAMPLE_SIDE, network_facts.locality.minimum),
    )
