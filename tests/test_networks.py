"""The earlier name of our architectures: stores and configs of before bear it, and so does the code of users."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.config import InputConfig, ModelConfig
from pipeline.models import architectures, classifier, python
from pipeline.models.architectures import MOVED_MODULES, classifiers, name_in_fingerprints, revision

NAMES = ("pipeline.networks", architectures.__name__)


def test_each_module_goes_by_both_names() -> None:
    for old, new in MOVED_MODULES.items():
        assert importlib.import_module(f"pipeline.networks.{old}") is importlib.import_module(
            f"{architectures.__name__}.{new}"
        )
        assert revision(f"pipeline.networks.{old}") == revision(f"{architectures.__name__}.{new}")
        assert (
            name_in_fingerprints(f"{architectures.__name__}.{new}")
            == name_in_fingerprints(f"pipeline.networks.{old}")
            == f"pipeline.networks.{old}"
        )


def test_every_module_of_the_package_has_an_earlier_name() -> None:
    files = {file.stem for file in Path(str(architectures.__file__)).parent.glob("*.py")} - {"__init__"}
    assert files == set(MOVED_MODULES.values()), (
        "a module that is new keeps its own name in fingerprints: leave it out of MOVED, and except it here"
    )


@pytest.mark.nightly("networks")
@pytest.mark.slow
def test_the_earlier_name_is_importable_first_of_all() -> None:
    script = "from pipeline.networks.dense_layers import as_convolutions; print(as_convolutions.__module__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pipeline.models.architectures.dense_to_conv"


@pytest.mark.parametrize("package", NAMES)
def test_a_factory_is_the_same_by_either_name(package: str, tmp_path: Path) -> None:
    torch.save(classifiers.lenet(2, 3).state_dict(), tmp_path / "lenet.pt")
    config = ModelConfig(
        kind="classifier",
        factory=f"{package}.classifiers:lenet",
        args={"classes": 2, "bands": 3},
        path=tmp_path / "lenet.pt",
        input=InputConfig(size=32),
    )
    loaded = classifier.load(config, 3, torch.device("cpu"))
    assert loaded.identity()["code"] == {"pipeline.networks.classifiers": "revision 1"}


@pytest.mark.parametrize("package", NAMES)
def test_code_of_users_that_imports_our_architectures_is_known_by_one_name(package: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        f"from {package}.fcn8s import FCN8s\n\n\ndef make():\n    import torch\n    torch.manual_seed(0)\n  "
        f"  return FCN8s(3, 2, width=2, fc_width=4)\n"
    )
    built = python.build_from_factory(ModelConfig(kind="python", factory=f"{tmp_path}/net.py:make"), 3)
    assert built.identity["code"]["pipeline.networks.fcn8s"] == "revision 1"
