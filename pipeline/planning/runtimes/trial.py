"""A network tried in a runtime: whether it is admitted, and what it takes; kept beside other measurements."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import cached_property
from typing import Any, cast

from pipeline.errors import ModelError
from pipeline.geometry.span import round_up
from pipeline.inspect.instructions import torch_instructions
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.models.runtimes.runtime import RuntimeMemory
from pipeline.planning.runtimes.admission import admission_obstacle, first_shape, other_shape
from pipeline.planning.runtimes.request import ChosenRuntime, RuntimeRequest
from pipeline.planning.runtimes.table import measurements
from pipeline.runtime import resources
from pipeline.runtime.record_files import recorded, torch_release

ADMISSION_VERSION = 2
"""Raised when conversion or comparison changes, so that networks are compared again."""
RUNTIME_MEMORY_SIDE = 384
"""Side of the image whose memory is measured, px."""


class RuntimeTrial:
    """A network in a runtime, converted at most once, and only where nothing is kept of it.

    Parameters
    ----------
    request
        What the runtime is decided from.
    name
        The runtime.
    allowed_error
        How far apart both may be, as a share of the largest logit.
    """

    def __init__(self, request: RuntimeRequest, name: str, allowed_error: float) -> None:
        self._request, self._name, self._runtime = request, name, KINDS[name]
        self._allowed_error = allowed_error

    def obstacle(self) -> str | None:
        """Why the runtime is not admitted, or None.

        A comparison is kept. A conversion that failed is not, since another installation may mend it.
        """
        request = self._request
        pixels = [request.source.identity(), request.normalisation.as_dict()]
        try:
            return recorded(
                "runtimes",
                [*self._key, self._allowed_error, request.requested == "auto", *pixels],
                self._measured_obstacle,
                lambda reason: {"obstacle": reason},
                lambda values: cast("str | None", values["obstacle"]),
            )
        except ModelError as error:
            return str(error).rstrip(".")

    def chosen(self, why: str) -> ChosenRuntime:
        """The runtime as the choice of a job, with its memory measured. Raises ModelError where that fails."""
        if self._runtime.memory is None:
            return ChosenRuntime(name=self._name, why=why)
        memory = recorded(
            "runtime-memory", self._key, self._measured_memory, asdict, lambda values: RuntimeMemory(**values)
        )
        return ChosenRuntime(
            name=self._name, why=why, release=self._runtime.release(), shape=self._shape, memory=memory
        )

    @cached_property
    def network(self) -> Loaded:
        """The network in the runtime. Raises ModelError."""
        return self._runtime.run(self._request.network, self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        return first_shape(self._request.network, self._request.locality)

    @property
    def _key(self) -> list[Any]:
        request = self._request
        computing = [torch_release(), torch_instructions(), resources.cores()]
        what = [self._name, self._runtime.release(), request.network.identity(), request.folded]
        return [ADMISSION_VERSION, *what, *computing, self._shape]

    def _measured_obstacle(self) -> str | None:
        request, network = self._request, self.network
        reason = self._unmeasured(network) if request.requested == "auto" else None
        return reason or admission_obstacle(
            request.network, network, request.locality, request.source, request.normalisation, self._allowed_error
        )

    def _unmeasured(self, network: Loaded) -> str | None:
        """What of a network nobody measured."""
        measured = measurements(self._name, self._runtime.release(), self._request.device)
        if self._runtime.facts is None or measured is None:
            return "nothing was measured of it here"
        facts = self._runtime.facts(network)
        if facts.fixed_numbers:
            return "its code takes numbers of the image for constants"
        return measured.objection(facts.operators)

    def _measured_memory(self) -> RuntimeMemory:
        assert self._runtime.memory is not None, "asked only of a runtime whose memory torch does not see"
        request, (batch, bands, rows, cols) = self._request, self._shape
        multiple = math.lcm(request.locality.stride, request.network.accepts.multiple)
        side = max(rows, cols)
        if request.network.accepts.maximum is None:
            side = max(side, round_up(RUNTIME_MEMORY_SIDE, multiple))
        other = other_shape(request.network, request.locality)
        return self._runtime.memory(self.network, (batch, bands, side, side), other, resources.cores())
