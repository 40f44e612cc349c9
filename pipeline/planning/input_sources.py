"""The source of a job, or the sources of all inputs of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import Config
from pipeline.interfaces import Source
from pipeline.sources import open_source


def open_sources(config: Config, stored: Mapping[str, Any] | None = None) -> tuple[Config, Source]:
    """Open what a config reads.

    Parameters
    ----------
    config
        Whose network, where it has a file, is on this machine.
    stored
        The fingerprint of the store that is there already, or of a frozen plan; else None.

    Returns
    -------
    tuple
        The config, whose model knows the bands of each of its inputs where there are several; and the source.

    Raises
    ------
    SourceError
        A source is missing, unreadable, or lies on another grid than the others.
    ModelError
        The network does not take the inputs that the config names.
    Unfinished
        A source does not answer in time.
    """
    if not config.model.inputs:
        return config, open_source(config.source, config.execution.read_timeout, stored)
    # it reads every kind of source, and most networks have one input
    from pipeline.planning.sources_of_inputs import open_sources_of_inputs

    source, bands = open_sources_of_inputs(config, stored)
    return config.model_copy(update={"model": config.model.with_input_bands(bands)}), source
