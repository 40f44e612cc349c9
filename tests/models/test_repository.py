"""Factories as people's repositories have them.

What lies around them is imported, each repository's own, and is part of the network.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import InputConfig, ModelConfig
from pipeline.errors import ModelError
from pipeline.models import load
from pipeline.models.loaded import Loaded
from pipeline.models.repository.opened_files import _Archive

CPU = torch.device("cpu")
SEEDED = (
    "import torch\n\n\ndef seeded(bands, classes, width=3):\n    torch.manual_seed(0)\n    return "
    "torch.nn.Conv2d(bands, classes, width, padding=width // 2)\n"
)


def write(folder: Path, **files: str) -> Path:
    """Sources by their names, with __ for a folder."""
    for name, text in files.items():
        path = folder / f"{name if '/' in name else name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def mark(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()


def made(factory: object, bands: int = 1, **more: Any) -> Loaded:
    return load(ModelConfig(kind="python", factory=str(factory), **more), bands, CPU)


def known(factory: object, part: str = "code", **more: Any) -> dict[str, str]:
    found: dict[str, str] = made(factory, **more).identity()[part]
    return found


def test_what_lies_beside_the_file_is_imported(tmp_path: Path) -> None:
    write(
        tmp_path,
        build="from nets.blocks import seeded\n\n\ndef make():\n    return seeded(1, 2)\n",
        nets__blocks=SEEDED,
    )
    found = made(f"{tmp_path}/build.py:make")
    assert found(torch.zeros(1, 1, 8, 8)).shape == (1, 2, 8, 8)
    assert set(found.identity()["code"]) == {"build", "nets.blocks"}


@pytest.mark.parametrize("marked", [True, False], ids=["packages", "folders"])
@pytest.mark.parametrize(
    "line",
    [
        "from ..blocks import seeded",
        "from pkg.blocks import seeded",
        "from pkg import blocks; seeded = blocks.seeded",
        "from helper import seeded",
    ],
)
def test_packages_above_it_are_imported(tmp_path: Path, marked: bool, line: str) -> None:
    write(
        tmp_path,
        pkg__models__net=f"{line}\n\n\ndef make():\n    return seeded(1, 2)\n",
        pkg__blocks=SEEDED,
        pkg__models__helper=SEEDED,
    )
    if marked:
        mark(tmp_path / "pkg", tmp_path / "pkg" / "models")
    code = known(f"{tmp_path}/pkg/models/net.py:make")
    assert len([name for name in code if name.endswith(("net", "blocks", "helper"))]) == 2


def test_a_module_is_found_below_a_folder(tmp_path: Path) -> None:
    write(
        tmp_path, pkg__net="from .blocks import seeded\n\n\ndef make():\n    return seeded(1, 2)\n", pkg__blocks=SEEDED
    )
    assert set(known(f"{tmp_path}/pkg.net:make")) == {"pkg.net", "pkg.blocks"}


def test_a_file_whose_name_is_no_name_of_a_module(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{"net-v1.2": "from blocks import seeded\n\n\ndef make():\n    return seeded(1, 2)\n", "blocks": SEEDED},
    )
    assert made(f"{tmp_path}/net-v1.2.py:make")(torch.zeros(1, 1, 8, 8)).shape[1] == 2


LATE = """
import torch
from config import WIDTH


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(1, 2, WIDTH, padding=WIDTH // 2)

    def forward(self, x):
        from utils.late import FACTOR
        import utils.other
        import importlib
        return self.conv(x) * FACTOR * utils.other.ONE * importlib.import_module("models.third").ONE


def make():
    return Net()
"""


def repository(folder: Path, width: int, factor: float) -> str:
    one = "ONE = 1.0\n"
    write(
        folder,
        build=LATE,
        config=f"WIDTH = {width}\n",
        utils__late=f"FACTOR = {factor}\n",
        utils__other=one,
        models__third=one,
    )
    mark(folder / "utils")
    return f"{folder}/build.py:make"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_repositories_with_the_same_names_each_get_their_own_whenever_they_import(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    factories = [repository(tmp_path / "a", 3, 1.0), repository(tmp_path / "b", 5, 10.0)]
    nets = {k: made(factories[k]) for k in order}
    x = torch.ones(1, 1, 16, 16)
    for k, (width, factor) in enumerate(((3, 1.0), (5, 10.0))):
        net = nets[k].module
        assert net.conv.kernel_size == (width, width)
        with torch.no_grad():
            assert torch.equal(net(x), net.conv(x) * factor)
    assert not {"config", "utils", "utils.late", "models.third", "build"} & sys.modules.keys()
    assert not [entry for entry in sys.path if str(tmp_path) in entry]


def test_names_of_python_and_of_ours_stay_theirs_and_a_repository_has_its_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        build="import random, queue\nfrom statistics import mine\nfrom pipeline.theirs import seeded\n"
        "from pipeline.models.architectures.upsample import bilinear\n\n\ndef make():\n"
        "    assert random.random() < 1 and queue.Queue and mine == 3\n    return seeded(1, 2)\n",
        random="raise SystemError\n",
        queue="raise SystemError\n",
        statistics="mine = 3\n",
        pipeline__theirs=SEEDED,
    )
    code = known(f"{tmp_path}/build.py:make")
    assert set(code) == {"build", "statistics", "pipeline.theirs", "pipeline.networks.upsample"}
    assert code["pipeline.networks.upsample"] == "revision 1"
    import statistics

    assert statistics.mean([1, 3]) == 2


def test_what_code_adds_to_the_path_is_its_own(tmp_path: Path) -> None:
    text = (
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / "
        "'deep'))\nfrom far import seeded\n\n\n"
    )
    write(tmp_path, build=text + "def make():\n    return seeded(1, 2)\n", deep__far=SEEDED)
    before = list(sys.path)
    assert set(known(f"{tmp_path}/build.py:make")) == {"build", "far"}
    assert sys.path == before


@pytest.mark.nightly("networks")
@pytest.mark.slow
def test_what_is_unpickled_by_name_is_found_in_its_repository(tmp_path: Path) -> None:
    write(
        tmp_path,
        models__net="import torch\n\n\nclass Net(torch.nn.Conv2d):\n    pass\n",
        save="import torch\nfrom models.net import Net\ntorch.save(Net(1, 2, 1), 'whole.pt')\n",
    )
    subprocess.run([sys.executable, "save.py"], cwd=tmp_path, check=True)
    write(tmp_path, build="import torch\n\n\ndef make(path):\n    return torch.load(path, weights_only=False)\n")
    path = str(tmp_path / "whole.pt")
    found = made(f"{tmp_path}/build.py:make", args={"path": path}).identity()
    assert set(found["reads"]) == {"whole.pt"}
    assert found == made(f"{tmp_path}/build.py:make", args={"path": path}).identity()


def build(
    folder: Path, body: str = "from .blocks import seeded\n\n\ndef make():\n    return seeded(1, 2)\n", **more: str
) -> str:
    write(folder, **{"pkg__net": body, "pkg__blocks": SEEDED, **more})
    return f"{folder}/pkg/net.py:make"


@pytest.mark.parametrize(
    "imports",
    [
        "from .blocks import seeded",
        "def seeded(*a):\n    from . import blocks\n    return blocks.seeded(*a)",
        "import importlib\nseeded = importlib.import_module('.blocks', __package__).seeded",
        "from pkg.second import seeded",
    ],
    ids=["at once", "in a function", "by name", "by way of another"],
)
def test_an_edited_module_makes_another_network_and_what_nobody_imports_does_not(tmp_path: Path, imports: str) -> None:
    factory = build(
        tmp_path,
        f"{imports}\n\n\ndef make():\n    return seeded(1, 2)\n",
        pkg__second="from .blocks import *\n",
        pkg__beside="A = 1\n",
    )
    before = made(factory).identity()
    write(tmp_path, pkg__beside="A = 2\n")
    assert made(factory).identity() == before
    write(tmp_path, pkg__blocks=SEEDED.replace("width=3", "width=5"))
    after = made(factory)
    assert after.module.kernel_size == (5, 5), "what runs is what is there"
    assert after.identity()["code"] != before["code"]


def test_an_edit_of_one_size_and_one_time_is_seen(tmp_path: Path) -> None:
    import os

    factory, file = build(tmp_path), tmp_path / "pkg" / "blocks.py"
    made(factory)
    then = file.stat()
    file.write_text(SEEDED.replace("width=3", "width=5"))
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert made(factory).module.kernel_size == (5, 5)


def test_what_is_read_while_it_is_made_imported_and_run_counts(tmp_path: Path) -> None:
    body = (
        "import json\nfrom pathlib import Path\n\nimport torch\n\nHERE = Path(__file__).parent\nONE = "
        "json.loads((HERE / 'one.json').read_text())\n\n\n"
        "class Net(torch.nn.Conv2d):\n    def forward(self, x):\n        return super().forward(x) * "
        "json.loads((HERE / 'three.json').read_text()) * ONE\n\n\n"
        "def make():\n    torch.manual_seed(json.loads((HERE / 'two.json').read_text()))\n    return Net(1, 2, 1)\n"
    )
    for name in ("one", "two", "three"):
        (tmp_path / "pkg").mkdir(exist_ok=True)
        (tmp_path / "pkg" / f"{name}.json").write_text("1")
    factory = build(tmp_path, body)
    found = [made(factory).identity()]
    assert set(found[0]["reads"]) == {"one.json", "two.json", "three.json"}
    for name in ("one", "two", "three"):
        (tmp_path / "pkg" / f"{name}.json").write_text("2")
        found.append(made(factory).identity())
        assert found[-1] not in found[:-1]
        assert found[-1] == made(factory).identity()


@pytest.mark.parametrize(
    "body",
    [
        "import torch\n\n\ndef make():\n    return torch.nn.Conv2d(1, 2, 1)\n",
        "import torch\n\n\nclass Net(torch.nn.Module):\n    def __init__(self):\n        "
        "super().__init__()\n        self.kept = [torch.rand(2, 1, 1, 1)]\n\n"
        "    def forward(self, x):\n        return torch.nn.functional.conv2d(x, self.kept[0])\n\n\nmake = Net\n",
    ],
    ids=["parameters", "a tensor in a list"],
)
def test_a_network_that_is_drawn_at_random_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(ModelError, match=r"makes another network each time.*model\.path.*manual_seed"):
        made(build(tmp_path, body))


def test_a_network_whose_file_holds_all_of_it_may_begin_at_random(tmp_path: Path) -> None:
    factory = build(tmp_path, "import torch\n\n\ndef make():\n    return torch.nn.Conv2d(1, 2, 1)\n")
    torch.save(torch.nn.Conv2d(1, 2, 1).state_dict(), tmp_path / "a.pt")
    found = made(factory, path=tmp_path / "a.pt").identity()
    state = torch.load(tmp_path / "a.pt")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pt")
    again = made(factory, path=tmp_path / "a.pt").identity()
    assert again["tensors"] == found["tensors"]
    assert again["sha256"] != found["sha256"]


def test_installed_libraries_count_by_version_and_what_no_record_lists_by_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    write(site, **{"wc_lib/__init__": SEEDED}, wc_lib__added="A = 1\n")
    info = site / "wc_lib-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wc-lib\nVersion: 1.5\n")
    (info / "RECORD").write_text("wc_lib/__init__.py,sha256=x,10\n")
    monkeypatch.syspath_prepend(str(site))
    write(tmp_path, build="from wc_lib import seeded\nimport wc_lib.added\n\n\ndef make():\n    return seeded(1, 2)\n")
    code = known(f"{tmp_path}/build.py:make")
    assert code["wc-lib"] == "1.5"
    assert set(code) == {"build", "wc-lib", "wc_lib.added"}
    write(site, wc_lib__added="A = 2\n")
    with pytest.raises(ModelError, match="changed since this process imported it"):
        made(f"{tmp_path}/build.py:make")


def test_an_archive_that_torch_opens_by_itself_counts(tmp_path: Path) -> None:
    def archive(text: str) -> None:
        writer = torch._C.PyTorchFileWriter(str(tmp_path / "net.pt2"))
        writer.write_record("models/model.json", text, len(text))
        writer.write_end_of_file()

    body = f'torch._C.PyTorchFileReader({str(tmp_path / "net.pt2")!r}).get_record("models/model.json")'
    write(
        tmp_path,
        build=f"import torch\n\n\ndef make():\n    {body}\n    torch.manual_seed(0)\n    return "
        f"torch.nn.Conv2d(1, 2, 3)\n",
    )
    archive("relu")
    before = known(f"{tmp_path}/build.py:make", "reads")
    assert set(before) == {"net.pt2"}
    archive("silu")
    assert known(f"{tmp_path}/build.py:make", "reads") != before
    assert not issubclass(torch._C.PyTorchFileReader, _Archive), "torch is left as it was"


class Editable:
    """What an editable installation puts before Python's own finders: the module lies where it is developed."""

    def __init__(self, name: str, file: Path) -> None:
        self._name, self._file = name, file

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.util.spec_from_file_location(name, self._file) if name == self._name else None


@pytest.mark.parametrize("way", ["path", "finder"])
def test_an_editable_installation_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    name, site = f"wc_edited_{way}", tmp_path / "site-packages"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        f"__editable__.{name}-1.0.pth,sha256=x,10\n{name}-1.0.dist-info/direct_url.json,sha256=x,10\n"
    )
    source = write(tmp_path / "src", **{name: SEEDED}) / f"{name}.py"
    monkeypatch.syspath_prepend(str(site))
    if way == "path":
        monkeypatch.syspath_prepend(str(source.parent))
    else:
        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable(name, source)])
    write(tmp_path / "job", build=f"from {name} import seeded\n\n\ndef make():\n    return seeded(1, 2)\n")
    before = known(f"{tmp_path}/job/build.py:make")
    assert set(before) == {"build", name}
    source.write_text(SEEDED.replace("width=3", "width=5"))
    after = made(f"{tmp_path}/job/build.py:make")
    assert after.module.kernel_size == (5, 5)
    assert after.identity()["code"] != before


def test_modules_on_the_path_are_the_users_own_and_seen_when_they_are_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(write(tmp_path / "lib", wc_beyond=SEEDED)))
    write(tmp_path, build="from wc_beyond import seeded\n\n\ndef make():\n    return seeded(1, 2)\n")
    before = known(f"{tmp_path}/build.py:make")
    assert set(before) == {"build", "wc_beyond"}
    write(tmp_path / "lib", wc_beyond=SEEDED.replace("width=3", "width=7"))
    after = made(f"{tmp_path}/build.py:make")
    assert after.module.kernel_size == (7, 7)
    assert after.identity()["code"] != before
    assert "wc_beyond" not in sys.modules


def test_a_factory_of_ours_is_known_by_its_revision() -> None:
    config = ModelConfig(
        kind="classifier",
        factory="pipeline.models.architectures.classifiers:lenet",
        args={"bands": 3},
        input=InputConfig(size=32),
    )
    with pytest.raises(ModelError, match="another network each time"):
        load(config, 3, CPU)


def test_a_repository_that_was_moved_makes_the_same_network(tmp_path: Path) -> None:
    found = [made(build(tmp_path / name)).identity() for name in ("a", "b")]
    assert found[0] == found[1]


def test_a_source_of_the_package_is_not_read_by_the_network_where_python_compiles_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(
        importlib.import_module("pipeline.models.architectures.classifiers").lenet(4, 3).state_dict(),
        tmp_path / "lenet.pt",
    )
    monkeypatch.delitem(sys.modules, "pipeline.models.architectures.classifiers")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    config = {"args": {"classes": 4, "bands": 3}, "path": tmp_path / "lenet.pt", "input": InputConfig(size=32)}
    assert known("pipeline.models.architectures.classifiers:lenet", "reads", bands=3, **config) == {}
