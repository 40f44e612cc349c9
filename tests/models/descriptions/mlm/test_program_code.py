"""Archives whose reading would execute code are told from those of ordinary networks, before anything is read."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import Dim

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models import load
from pipeline.models.descriptions import read_description
from pipeline.models.descriptions.program_code import require_plain_program
from pipeline.models.descriptions.size_expression import is_size
from tests import networks
from tests.models.descriptions.mlm import described


class Planted:
    """A pickle that makes a file when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("planted",)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return edit


def graph(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["graph_module"]["graph"])


def planted_size(document: dict[str, Any]) -> None:
    text = json.dumps(document).replace("Symbol(", "__import__('os').mkdir('planted') or Symbol(")
    document.clear()
    document.update(json.loads(text))


CASES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "sample inputs": (
        "sample_inputs/model.pt",
        lambda _: saved(((Planted(),), {})),
        "is a pickle of more than tensors",
    ),
    "weights": (
        "model_weights_config.json",
        edited(lambda document: next(iter(document["config"].values())).update(use_pickle=True)),
        "names the pickle weight_0",
    ),
    "objects": (
        "model_constants_config.json",
        edited(lambda document: document["config"].update(a={"path_name": "opaque_obj_0", "use_pickle": False})),
        "names the pickle opaque_obj_0",
    ),
    "function": (
        "models/model.json",
        edited(lambda document: graph(document)["nodes"][0].update(target="torch.os.mkdir")),
        "calls torch.os.mkdir",
    ),
    "file": (
        "models/model.json",
        edited(lambda document: graph(document)["nodes"][0].update(target="torch.ops.aten.from_file.default")),
        "calls torch.ops.aten.from_file",
    ),
    "library": (
        "models/model.json",
        edited(lambda document: graph(document)["nodes"][0].update(target="torch.ops.load_library.__call__")),
        "calls torch.ops.load_library",
    ),
    "size": ("models/model.json", edited(planted_size), "has the size"),
    "tree": (
        "models/model.json",
        edited(
            lambda document: document["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"context": "{\\"default_factory_module\\": \\"os\\"}"}]'
            )
        ),
        "objects of other modules",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_code_in_an_archive_is_refused_and_does_not_run(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ending, change, reason = CASES[case]
    path = described.archive(tmp_path / "net.pt2")
    described.rewritten(path, lambda name, content: change(content) if name.endswith(ending) else content)
    with pytest.raises(ModelError, match=reason) as error:
        read_description(path).state(ModelConfig(path=path))
    assert "Nothing of it was read" in str(error.value)
    assert "set model.trust: true if you trust" in str(error.value)
    assert not Path("planted").exists()
    require_plain_program(path, "it", trusted=True)


def test_an_archive_without_a_description_is_looked_through_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = described.archive(tmp_path / "net.pt2")
    described.rewritten(path, lambda name, content: None if "/extra/" in name else content)
    assert read_description(path) is None
    model, cpu = ModelConfig(kind="exported", path=path), torch.device("cpu")
    assert load(model, 3, cpu).module
    described.rewritten(
        path, lambda name, content: saved(((Planted(),), {})) if name.endswith("sample_inputs/model.pt") else content
    )
    with pytest.raises(ModelError, match=r"^model\.path .*net\.pt2 is refused: .* is a pickle of more than tensors"):
        load(model, 3, cpu)
    assert not Path("planted").exists()


def test_what_the_planted_pickle_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Planted()))
    assert Path("planted").is_dir()


def test_compiled_libraries_are_not_opened(tmp_path: Path) -> None:
    path = described.archive(tmp_path / "net.pt2")
    described.rewritten(path, lambda name, content: content)
    with_library = described.added(path, "net/data/aotinductor/model/code.so", b"\x7fELF")
    with pytest.raises(
        ModelError, match=r"1 compiled files of AOTInductor.*Nothing of it was opened.*model\.trust: true"
    ):
        read_description(with_library).state(ModelConfig(path=path))
    read_description(with_library).state(ModelConfig(path=path, trust=True))
    alone = described.rewritten(path, lambda name, content: None if "/models/" in name else content)
    with pytest.raises(ModelError, match="machine code, which is executed as soon as it is opened"):
        read_description(alone).state(ModelConfig(path=path))
    with pytest.raises(ModelError, match="no program that can be measured and tiled"):
        read_description(alone).state(ModelConfig(path=path, trust=True))


def test_two_names_that_torch_takes_for_one_are_refused(tmp_path: Path) -> None:
    path = described.added(described.archive(tmp_path / "net.pt2"), "net/Models/Model.json", b"{}")
    with pytest.raises(ModelError, match="two of its files have one name"):
        read_description(path).state(ModelConfig(path=path))


def test_a_network_of_another_name_is_told(tmp_path: Path) -> None:
    path = described.archive(tmp_path / "net.pt2")
    described.rewritten(path, lambda name, content: None if "model" in name else content)
    described.added(path, "net/models/unet.json", b"{}")
    with pytest.raises(ModelError, match="holds the programs unet and none named model"):
        read_description(path).state(ModelConfig(path=path))


@pytest.mark.nightly("networks")
def test_a_network_of_many_operators_and_sizes_is_plain(tmp_path: Path) -> None:
    sizes = ({0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO},)
    program = torch.export.export(networks.UNet().eval(), (torch.zeros(2, 3, 32, 32),), dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / "net.pt2")
    require_plain_program(tmp_path / "net.pt2", "it", trusted=False)


@pytest.mark.parametrize(
    "text", ["Mul(Integer(4), FloorDiv(Symbol('s53', positive=True, integer=True), Integer(4)))", "2*s0 + 1", "u0 < 5"]
)
def test_arithmetic_on_sizes_is_a_size(text: str) -> None:
    assert is_size(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "s0.__class__",
        "(lambda: s0)()",
        "[s0 for s0 in (1,)]",
        "Symbol('a b')",
        "preview(s0)",
        "Max(1, *s0)",
        "Symbol('s0', cls=os)",
        "f'{s0}'",
        "(" * 5000,
        7,
    ],
    ids=lambda text: str(text)[:20],
)
def test_all_else_is_none(text: object) -> None:
    assert not is_size(text)
