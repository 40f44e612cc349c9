"""Libraries of others that do not fit, lack something of the system, or raise at their import.

Whose fault it is, and the way out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.cli import exit as exits
from pipeline.config import ModelConfig
from pipeline.errors import ExtraError, ModelError
from pipeline.models import load
from pipeline.runtime import import_faults
from pipeline.runtime.import_faults import fault
from pipeline.runtime.optional_imports import require

CPU = torch.device("cpu")
FAULTS = {
    "a torchvision of another torch": (
        'raise RuntimeError("operator torchvision::nms does not exist")',
        r"does not fit torch \d.* -m pip install .*torchvision",
    ),
    "a torchvision whose library does not load": (
        'raise ImportError("_C.so: undefined symbol: _ZN3c106detail")',
        r"does not fit torch",
    ),
    "a missing library of the system": (
        'raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")',
        r"libGL\.so\.1, which this system lacks .* apt-get install libgl1",
    ),
    "an unknown library of the system": (
        'raise OSError("libodd.so.3: cannot open shared object file: No such file")',
        r"libodd\.so\.3, which this system lacks .* package of your system",
    ),
    "a system that is older": (
        'raise ImportError("/lib/libc.so.6: version `GLIBC_2.38\' not found")',
        r"newer system: it needs GLIBC_2\.38",
    ),
    "another numpy": (
        'raise ImportError("numpy.core.multiarray failed to import")',
        r"built for another numpy than \d.*install --upgrade",
    ),
    "whatever else": (
        'raise KeyError("a plugin of theirs")',
        r"raises an error at its import \(KeyError: 'a plugin of theirs'\).*uninstall",
    ),
    "a plugin that ends the process": ("raise SystemExit(3)", r"raises an error at its import \(SystemExit: 3\)"),
}


def stub(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A library that does this at its import."""
    site = folder / "site-packages"
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(text + "\n")
    (site / f"{name}-1.5.dist-info").mkdir()
    (site / f"{name}-1.5.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (site / f"{name}-1.5.dist-info" / "top_level.txt").write_text(f"{name}\n")
    (site / f"{name}-1.5.dist-info" / "RECORD").write_text(f"{name}/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, name, raising=False)


def name_of(case: str) -> str:
    return "torchvision" if "torchvision" in case else "odd_plugin"


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("case", FAULTS)
def test_a_factory_that_imports_it_is_refused_with_the_way_out(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, words = FAULTS[case]
    stub(tmp_path, monkeypatch, name_of(case), text)
    (tmp_path / "net.py").write_text(f"import {name_of(case)}\n\n\ndef make():\n    pass\n")
    with pytest.raises(ModelError, match=words):
        load(ModelConfig(kind="python", factory=f"{tmp_path}/net.py:make"), 3, CPU)


def test_a_fault_of_the_users_own_file_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("{}['a key']\n")
    with pytest.raises(ModelError, match=r"cannot be imported: KeyError: 'a key'\.$"):
        load(ModelConfig(kind="python", factory=f"{tmp_path}/own.py:make"), 3, CPU)


@pytest.mark.slow
def test_a_module_that_is_no_installed_library_is_to_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_it.py").write_text("{}['a key']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    said, code = told(raised("import beside_it"))
    assert code == 2
    assert "beside_it raises an error at its import (KeyError: 'a key')" in said
    assert "Mend it" in said


@pytest.mark.slow
def test_a_factory_that_imports_it_when_it_is_called_is_refused_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path, monkeypatch, "torchvision", FAULTS["a torchvision of another torch"][0])
    (tmp_path / "late.py").write_text("def make():\n    import torchvision\n")
    with pytest.raises(ModelError, match="does not fit torch"):
        load(ModelConfig(kind="python", factory=f"{tmp_path}/late.py:make"), 3, CPU)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("case", FAULTS)
def test_a_library_of_an_extra_is_refused_with_the_way_out(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, words = FAULTS[case]
    stub(tmp_path, monkeypatch, name_of(case), text)
    with pytest.raises(ExtraError, match=words):
        require(name_of(case), "smp", "model.kind smp")


@pytest.mark.slow
def test_networks_of_smp_name_the_torchvision_below_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, monkeypatch, "torchvision", FAULTS["a torchvision of another torch"][0])
    stub(tmp_path / "more", monkeypatch, "segmentation_models_pytorch", "import torchvision")
    (tmp_path / "a.pth").write_bytes(b"weights")
    with pytest.raises(ExtraError, match=r"model.kind smp needs .*torchvision .* does not fit torch"):
        load(ModelConfig(kind="smp", arch="Unet", path=tmp_path / "a.pth", args={"classes": 2}), 3, CPU)


def raised(text: str) -> Exception:
    try:
        exec(compile(text, "theirs.py", "exec"), {"__name__": "theirs"})
    except Exception as error:
        return error
    raise AssertionError


def told(error: Exception) -> tuple[str, int]:
    return exits._explain(error)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("case", [case for case in FAULTS if "ends the process" not in case])
def test_a_library_that_everything_needs_ends_a_command_with_2(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, words = FAULTS[case]
    stub(tmp_path, monkeypatch, name_of(case), text)
    said, code = told(raised(f"import {name_of(case)}"))
    assert code == 2
    assert re.search(words, said)


def test_an_extension_of_torch_that_fails_is_named_with_the_switch() -> None:
    """What torch raises at its own import where an entry point of `torch.backends` fails."""
    error = RuntimeError(
        "Failed to load the backend extension: torch_odd. You can disable extension auto-loading with "
        "TORCH_DEVICE_BACKEND_AUTOLOAD=0."
    )
    assert "TORCH_DEVICE_BACKEND_AUTOLOAD=0 in the environment" in (import_faults._backend("torch", str(error)) or "")


def test_an_extension_of_torch_that_fails_ends_a_command_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(
        tmp_path,
        monkeypatch,
        "stands_for_torch",
        'raise RuntimeError("Failed to load the backend extension: torch_odd. You can disable it.")',
    )
    said, code = told(raised("import stands_for_torch"))
    assert code == 2
    assert "torch loads its extension torch_odd" in said


def test_a_missing_library_is_no_bug_of_ours() -> None:
    said, code = told(raised("import a_library_that_is_not_there"))
    assert code == 2
    assert "a_library_that_is_not_there" in said


@pytest.mark.parametrize(
    "text",
    ["import pipeline.not_there", "from pipeline.planning import not_there", "{}['a']", "import json\njson.loads('{')"],
)
def test_bugs_of_ours_end_with_70_and_say_what_to_send(text: str) -> None:
    said, code = told(raised(text))
    assert code == 70
    assert fault(raised(text)) is None
    for part in (
        "A bug of ours: ",
        "report it",
        "the config",
        "--debug",
        "wholecloth 0.",
        "Python 3.",
        f"torch {torch.__version__}",
        "rasterio 1",
        " in ",
    ):
        assert part in said
    assert "\n" not in said


def test_an_error_while_a_library_is_used_is_not_taken_for_one_of_its_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path, monkeypatch, "calm", "def use():\n    raise KeyError('used')")
    assert told(raised("import calm\ncalm.use()"))[1] == 70


@pytest.mark.parametrize(
    ("torch_", "wanted"), [("2.13.0+cpu", "==0.28.*"), ("2.6.0", "==0.21.*"), ("3.0.0", ""), ("2.99.0", "")]
)
def test_the_torchvision_that_goes_with_a_torch(torch_: str, wanted: str) -> None:
    assert import_faults._matching_torchvision(torch_) == wanted


def test_constraints_and_the_page_on_installing_name_the_torchvision_of_the_cpu_build() -> None:
    root = Path(__file__).resolve().parents[2]
    pins: dict[str, Any] = dict(
        line.split("==") for line in (root / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert f"=={pins['torchvision'].rpartition('.')[0]}.*" == import_faults._matching_torchvision(pins["torch"])
    text = (root / "docs" / "install.md").read_text()
    assert f"torch=={pins['torch'].partition('+')[0]} torchvision=={pins['torchvision']}" in text
    assert import_faults.CPU_INDEX_URL in text
