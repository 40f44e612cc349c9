"""Code that a description brings or names: it is run where the user says so, by ``model.trust``, and never else."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import ModelConfig
from pipeline.errors import ModelError


def trusted_factory(model: ModelConfig, description: str, code: str, factory: Callable[[], str]) -> str:
    """The factory that builds a network by code of its description, as ``model.factory`` names one.

    Parameters
    ----------
    model
        The config.
    description, code
        The document, and what would be executed, as a clause; for the message.
    factory
        Finds it, and unpacks what it needs.

    Raises
    ------
    ModelError
        The config does not set ``trust``.
    """
    if model.trust:
        return factory()
    raise ModelError(
        f"{description} has weights whose network is built by code: {code}. Nothing that a description brings or names "
        f"is executed unasked. If you trust it, set model.trust: true in your config, or give --set model.trust=true; "
        f"stores and frozen plans do not keep it. Or name the network yourself as model.factory (file.py:callable or "
        f"package.module:callable), or take a package whose weights hold the whole network (TorchScript or ONNX)."
    )
