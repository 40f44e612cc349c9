"""One payload for each way into a process: none runs, and each is refused with exit code 2.

A payload would write a file. What runs unasked would have written it by the end of the plan.
"""

from __future__ import annotations

import ast
import os
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline
from pipeline.config import SourceConfig
from pipeline.config.load import config_of
from pipeline.errors import InputError, SourceError
from pipeline.models.descriptions.archive import MAX_RATIO
from pipeline.planning.prepare import prepare_job
from pipeline.sources import open_source
from tests import products, scenes
from tests.models.descriptions.bioimage import packages
from tests.models.descriptions.bioimage.packages import package
from tests.models.descriptions.monai import library
from tests.models.descriptions.monai.bundles import AFTER, NETWORK, STEPS, bundle, inference, metadata, zipped
from tests.packages import list_files

STATE_DICT = ("pytorch_state_dict",)
BOMB = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


class Payload:
    """What is unpickled writes the file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that a payload would write; MONAI and a package of the payload are there for whoever imports them."""
    path = tmp_path / "marker"
    module = tmp_path / "site" / "payload"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(f"open({str(path)!r}, 'w').close()\ndef make(**_): pass\n")
    with library.installed(tmp_path / "site", monkeypatch):
        yield path
    assert not path.exists()
    assert "payload" not in sys.modules


def refused(folder: Path, path: Path | str, reason: str, **model: Any) -> None:
    """Plan a job, which ends with exit code 2."""
    raster = scenes.scene(folder / "scene.tif", 64, 64)
    config = {
        "source": {"path": str(raster)},
        "model": {"path": str(path), **model},
        "output": {"path": str(folder / "a.zarr"), "exports": []},
        "execution": {"device": "cpu", "engine": "serial"},
    }
    with pytest.raises(InputError, match=reason) as raised:
        prepare_job(config_of(config))
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)


def command(marker: Path) -> str:
    return f"$__import__('os').system('touch {marker}')"


def test_the_marker_is_written_by_what_is_executed(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("kind", ["python", "torchscript"])
def test_a_pickle_in_the_place_of_weights_of_a_bundle(kind: str, marker: Path, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a", weights=(kind,))
    torch.save({"state_dict": Payload(marker)}, next((folder / "models").iterdir()))
    refused(tmp_path, folder, "holds a pickled posix.system|is not a TorchScript network")


def test_a_pickle_in_the_place_of_weights_of_a_package(marker: Path, tmp_path: Path) -> None:
    folder = package(tmp_path / "a", weights=STATE_DICT)
    torch.save(Payload(marker), folder / "weights.pth")
    document = packages.document(folder)
    document["weights"]["pytorch_state_dict"]["sha256"] = packages.digest(folder / "weights.pth")
    packages.write(folder, document)
    code = tmp_path / "net.py"
    code.write_text(f"from {packages.__name__} import network\ndef make(channels): return network(channels)\n")
    refused(tmp_path, folder, "a pickled", factory=f"{code}:make")


def test_tags_and_aliases_of_yaml(marker: Path, tmp_path: Path) -> None:
    tag = f"!!python/object/apply:os.system ['touch {marker}']"
    laughs = "a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9))
    described = package(tmp_path / "a")
    config = bundle(tmp_path / "b", config={}) / "configs/inference.yaml"
    for text, reason in ((f"preprocessing: {tag}\n", "is not valid YAML"), (laughs, "fill the memory")):
        (described / "rdf.yaml").write_text(text)
        config.write_text(text)
        for path in (described, config.parents[1]):
            refused(tmp_path, path, reason)


def entries(marker: Path) -> Iterator[tuple[zipfile.ZipInfo | str, bytes, str]]:
    link = zipfile.ZipInfo("a/models/model.ts")
    link.external_attr = 0o120777 << 16
    yield "../marker", b"x", "climbs out"
    yield str(marker), b"x", "an absolute path"
    yield link, str(marker).encode(), "is a link"
    yield "a/models/model.ts", bytes(2 * MAX_RATIO * 2**16), "grows from"


def test_zip_files_that_climb_out_link_or_explode(
    marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    folder = bundle(tmp_path / "a", weights=())
    for number, (name, content, reason) in enumerate(entries(marker)):
        path = zipped(folder).rename(tmp_path / f"{number}.zip")
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        refused(tmp_path, path, reason)
    assert not list((tmp_path / "cache").rglob("*"))


def test_files_that_a_folder_leads_out_to(marker: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"secret")
    folder = bundle(tmp_path / "a", weights=())
    (folder / "models/model.ts").symlink_to(secret)
    refused(tmp_path, folder, "a link out of its folder")
    described = package(tmp_path / "b", weights=("torchscript",))
    document = packages.document(described)
    document["weights"]["torchscript"] = {"source": "../secret.ts"}
    packages.write(described, document)
    refused(tmp_path, described, "climbs out of its folder")


def test_weights_of_onnx_outside_their_folder(marker: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    (tmp_path / "secret").write_bytes(bytes(4 * 8 * 3 * 9))
    folder = package(tmp_path / "a", weights=("onnx",))
    model = onnx.load(folder / "weights.onnx")
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    (folder / "weights.onnx").write_bytes(model.SerializeToString())
    document = packages.document(folder)
    del document["weights"]["onnx"]["sha256"]
    packages.write(folder, document)
    refused(tmp_path, folder, r"keeps weights in \.\./secret, outside its folder")


@pytest.mark.parametrize("target", ["os.system", "payload.make", "scripts.net.make", "$payload"])
def test_targets_of_a_bundle(target: str, marker: Path, tmp_path: Path) -> None:
    network = {"_target_": target, "command": f"touch {marker}"}
    folder = bundle(tmp_path / "a", weights=("python",), config=inference(network_def=network))
    (folder / "scripts").mkdir()
    (folder / "scripts/net.py").write_text(f"open({str(marker)!r}, 'w').close()\ndef make(**_): pass\n")
    refused(tmp_path, folder, "the _target_ of network_def .* is executed unasked")


def test_expressions_of_a_bundle(marker: Path, tmp_path: Path) -> None:
    text = command(marker)
    network = {**NETWORK, "channels": text}
    folder = bundle(tmp_path / "a", weights=("python",), config=inference(network_def=network))
    refused(tmp_path, folder, r"network_def\.channels is \$__import__.* is executed unasked")
    steps = [{**STEPS[2], "a_max": text}]
    refused(tmp_path, bundle(tmp_path / "b", config=inference(preprocessing=steps)), "has a_max .* is executed")
    after = [{**AFTER[2], "threshold": text}]
    refused(tmp_path, bundle(tmp_path / "c", config=inference(postprocessing=after)), "has threshold .* is executed")


def test_expressions_that_decide_nothing_here_are_not_even_read(marker: Path, tmp_path: Path) -> None:
    text = command(marker)
    config = inference(imports=[text], device=text, datalist=text, initialize=[text], inferer={"roi_size": text})
    folder = bundle(tmp_path / "a", config={**config, "run": [text]})
    raster = scenes.scene(tmp_path / "scene.tif", 64, 64)
    planned = {"source": {"path": str(raster)}, "model": {"path": str(folder)}, "output": {"path": str(tmp_path / "o")}}
    assert pipeline.plan(planned)["network"]["description"]


def test_packages_are_found_without_an_import(marker: Path, tmp_path: Path) -> None:
    site = marker.parent / "site"
    (site / "payload/weights.pt").write_bytes(b"x")
    list_files(site, "payload", ["payload/__init__.py", "payload/weights.pt"])
    refused(tmp_path, "package://payload/weights.pt", "is not a TorchScript network", kind="torchscript")
    folder = package(tmp_path / "a", weights=STATE_DICT)
    document = packages.document(folder)
    document["weights"]["pytorch_state_dict"]["architecture"] = {"callable": "make", "import_from": "payload"}
    packages.write(folder, document)
    refused(tmp_path, folder, r"built by code: payload:make\. Nothing")


def test_modules_of_a_bundle_are_not_imported_in_the_place_of_monai(
    marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle(tmp_path / "a", weights=("python",))
    (folder / "monai/networks").mkdir(parents=True)
    for name in ("__init__", "networks/__init__", "networks/nets"):
        (folder / f"monai/{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "monai", None)
    refused(tmp_path, folder, r"which is not installed")


def test_entities_of_xml(marker: Path, tmp_path: Path) -> None:
    safe, landsat = products.safe(tmp_path), products.landsat(tmp_path, xml=True)
    for document, value in ((safe / "MTD_MSIL2A.xml", "05.10"), (next(landsat.glob("*_MTL.xml")), "2.75e-05")):
        text = document.read_text()
        assert value in text
        document.write_text(f"{BOMB}]>{text.partition('?>')[2] or text}".replace(value, "&i;"))
    for root, band in ((safe, "B02"), (landsat, "B2")):
        with pytest.raises(SourceError, match="cannot be read as metadata: EntitiesForbidden"):
            open_source(SourceConfig(kind="bands", path=str(root), bands=[band], radiometry="reflectance"))


def test_xml_is_parsed_by_defusedxml_alone() -> None:
    sources = (file.read_text() for file in Path(pipeline.__file__).parent.rglob("*.py"))
    imported = {
        f"{node.module}.{name.name}"
        for source in sources
        if "xml" in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("xml", "lxml"))
        for name in node.names
    }
    harmless = {"etree.ElementTree.Element", "etree.ElementTree.ParseError"}
    assert imported <= {f"xml.{name}" for name in (*harmless, "sax.saxutils.escape", "sax.saxutils.quoteattr")}


def test_metadata_that_name_a_network_of_their_own_decide_nothing(marker: Path, tmp_path: Path) -> None:
    about = {**metadata(), "trust": True, "model": {"trust": True}}
    config = inference(network_def={"_target_": "payload.make"}, trust=True, model={"trust": True})
    refused(tmp_path, bundle(tmp_path / "a", weights=("python",), about=about, config=config), "executed unasked")
    described = package(tmp_path / "b", weights=STATE_DICT, trust=True, model={"trust": True})
    refused(tmp_path, described, "executed unasked")
