"""A stand-in for MONAI, which takes seconds to import: two networks, and a parser that evaluates as MONAI's does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NETWORKS = """
from tests.networks import Twice

class UNet(Twice):
    def __init__(self, spatial_dims, in_channels, out_channels, channels):
        assert spatial_dims == 2 and channels == [4, 8]
        super().__init__(in_channels, out_channels)
"""
PARSER = """
import importlib

class ConfigParser:
    def __init__(self, config):
        self.config = config

    def get_parsed_content(self, part):
        return self.resolved(self.config[part])

    def resolved(self, value):
        if isinstance(value, dict) and "_target_" in value:
            module, _, name = value["_target_"].rpartition(".")
            made = getattr(importlib.import_module(module or "monai.networks.nets"), name)
            return made(**{key: self.resolved(entry) for key, entry in value.items() if key != "_target_"})
        if isinstance(value, str) and value.startswith("@"):
            return self.resolved(self.config[value[1:]])
        return eval(value[1:], {"root": self.config["bundle_root"]}) if str(value).startswith("$") else value
"""


@contextmanager
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While MONAI can be imported from a folder, in the place of one that is installed."""
    files = {"__init__": "", "bundle": PARSER, "networks/__init__": "", "networks/nets/__init__": NETWORKS}
    for name, text in files.items():
        path = site / "monai" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with absent(monkeypatch):
        monkeypatch.syspath_prepend(str(site))
        yield


@contextmanager
def absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While no module of MONAI is known; those that were imported come back afterwards."""
    names = [name for name in sys.modules if name.partition(".")[0] == "monai"]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "monai"]:
        del sys.modules[name]
