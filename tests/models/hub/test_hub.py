"""Files of model repositories: a branch is resolved once, a commit holds, and what lacks is said in a paragraph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.errors import ModelError, PipelineError, Unfinished
from pipeline.models import load
from pipeline.models.descriptions import with_weights_file
from pipeline.models.hub import locate_model, model_on_this_machine
from pipeline.planning.described import with_description
from tests.models.descriptions.pretrained.folders import PROCESSOR, TRANSFORMERS
from tests.models.hub.server import FIRST, SECOND, Hub, connected
from tests.models.onnx_files import to_onnx

MAIN = "hf://owner/nets/deep/unet.pt"
RESOLVED = f"{MAIN}@main#commit={FIRST}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with connected(tmp_path, monkeypatch) as hub:
        yield hub


def model(address: str = MAIN) -> ModelConfig:
    return ModelConfig.model_validate({"kind": "torchscript", "path": address})


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def refusal(address: str = MAIN) -> PipelineError:
    with pytest.raises(PipelineError) as raised:
        locate_model(model(address))
    assert "\n" not in str(raised.value)
    return raised.value


def test_a_branch_is_resolved_and_its_file_is_fetched_once(hub: Hub) -> None:
    located = locate_model(model())
    assert located.model.address == RESOLVED
    assert located.remarks == ()
    assert located.model.path is not None
    assert located.model.path.read_bytes() == hub.commits[FIRST]["deep/unet.pt"]
    hub.asked.clear()
    assert locate_model(model(f"{MAIN}@{FIRST}")).model.path == located.model.path
    assert hub.asked == []


def test_a_store_stays_with_its_commit_and_a_branch_that_moved_is_told(hub: Hub) -> None:
    locate_model(model())
    hub.branches["main"] = SECOND
    located = locate_model(model(), stored=RESOLVED)
    assert located.model.address == RESOLVED
    (remark,) = located.remarks
    assert FIRST in remark
    assert SECOND in remark
    other = RESOLVED.replace("@main", "@other")
    assert locate_model(model(), stored=other).model.address == RESOLVED.replace(FIRST, SECOND)
    del hub.commits[SECOND]["deep/unet.pt"]
    assert locate_model(model(), stored=RESOLVED).remarks == (remark,)


def test_without_a_server_the_cache_is_used_and_that_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = locate_model(model()).model.path
    hub.status = 503
    located = locate_model(model())
    assert (located.model.address, located.model.path) == (RESOLVED, path)
    assert hub.url in located.remarks[0]
    offline(monkeypatch)
    assert "HF_HUB_OFFLINE is set" in locate_model(model()).remarks[0]
    assert locate_model(model(), stored=RESOLVED).remarks == ()


def test_a_file_that_is_not_in_the_cache_names_the_command_that_fetches_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.status = 503
    error = refusal()
    assert isinstance(error, Unfinished)
    assert "answers with status 503" in str(error)
    offline(monkeypatch)
    error = refusal(RESOLVED)
    assert isinstance(error, ModelError)
    assert f"`hf download owner/nets deep/unet.pt --revision {FIRST}`" in str(error)


def test_a_file_that_was_fetched_by_hand_runs_without_its_server(hub: Hub) -> None:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download("owner/nets", "deep/unet.pt", revision=FIRST)
    hub.status = 503
    hub.asked.clear()
    assert str(locate_model(model(f"{MAIN}@{FIRST}")).model.path) == path
    assert len(hub.asked) == 1  # for the hints beside it


def test_a_folder_of_the_repository_may_have_any_name(hub: Hub) -> None:
    hub.commits[FIRST]["snapshots/old/unet.pt"] = hub.commits[FIRST]["deep/unet.pt"]
    assert locate_model(model("hf://owner/nets/snapshots/old/unet.pt")).model.place.endswith(f"#commit={FIRST}")


def test_a_server_that_is_away_is_an_outage(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert isinstance(refusal(), Unfinished)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hf://owner/net/unet.pt", "has no model repository owner/net that may be read"),
        ("hf://owner/nets/deep/unet.pt@mian", "no branch, tag or commit mian. Give one that it has: main"),
        ("hf://owner/nets/deep/unnet.pt", f"no file deep/unnet.pt at {FIRST}. Give one that it has: deep/unet.pt"),
    ],
)
def test_wrong_names_are_told_with_near_ones(address: str, words: str, hub: Hub) -> None:
    error = refusal(f"{address}{f'@{FIRST}' if 'unnet' in address else ''}")
    assert isinstance(error, ModelError)
    assert words in str(error)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(403, "GatedRepo", "Ask for access on"), (401, "", "Log in with"), (403, "", "refused it with status 403")],
)
def test_refusals_name_what_to_do(status: int, code: str, words: str, hub: Hub) -> None:
    hub.status, hub.code = status, code
    error = refusal()
    assert isinstance(error, ModelError)
    assert words in str(error)


def test_a_token_of_the_environment_is_sent_and_told_nowhere(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_of_the_test"
    assert isinstance(refusal(), ModelError)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    located = locate_model(model())
    assert hub.token not in repr(located) + located.model.model_dump_json()
    hub.token = "hf_of_another"
    assert "hf_of_the_test" not in str(refusal(f"{MAIN}@{SECOND}"))


def test_a_file_with_other_bytes_than_the_hub_lists_is_refused(hub: Hub) -> None:
    hub.flips = True
    assert "was damaged: its digest is" in str(refusal())


def test_a_worker_on_another_machine_fetches_the_same_commit(hub: Hub) -> None:
    here = locate_model(model()).model
    hub.branches["main"] = SECOND
    away = here.located(Path("/another/machine/unet.pt"), RESOLVED)
    hub.asked.clear()
    assert model_on_this_machine(away).path == here.path
    assert hub.asked == []
    network = load(away, 3, torch.device("cpu"))
    assert network.identity() == load(here, 3, torch.device("cpu")).identity()


def test_files_beside_a_network_come_with_it(hub: Hub) -> None:
    hub.commits[FIRST]["deep/config.json"] = b"{}"
    path = locate_model(model()).model.path
    assert path is not None
    assert (path.parent / "config.json").read_bytes() == b"{}"


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_save_pretrained_comes_with_its_weights_and_its_processor(
    weights: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "ours"))
    documents = {"config.json": TRANSFORMERS, "preprocessor_config.json": PROCESSOR}
    hub.commits[FIRST] = {name: json.dumps(document).encode() for name, document in documents.items()}
    hub.commits[FIRST] |= {weights: b"weights", "README.md": b""}
    located = locate_model(ModelConfig.model_validate({"path": "hf://owner/nets@main"})).model
    assert located.address == f"hf://owner/nets/config.json@main#commit={FIRST}"
    filled = with_description(located)
    assert (filled.kind, filled.arch) == ("transformers", "SegformerForSemanticSegmentation")
    assert filled.input is not None
    assert filled.input.size == 64
    file = with_weights_file(filled, 3).path
    assert file is not None
    assert (file.name, file.read_bytes()) == (weights, b"weights")
    hub.asked.clear()
    assert locate_model(ModelConfig.model_validate({"path": f"hf://owner/nets@{FIRST}"})).model.path == located.path


def test_weights_are_not_fetched_for_a_network_that_is_refused(hub: Hub) -> None:
    document = {**TRANSFORMERS, "auto_map": {"AutoModel": "net.Net"}}
    hub.commits[FIRST] |= {"config.json": json.dumps(document).encode(), "model.safetensors": b"weights"}
    located = locate_model(ModelConfig.model_validate({"path": "hf://owner/nets@main"})).model
    with pytest.raises(ModelError, match="no code of such a folder is executed"):
        with_description(located)
    assert not any("safetensors" in path for _, path in hub.asked)


def test_an_onnx_network_runs_with_the_weights_beside_it(hub: Hub, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    whole = to_onnx(torch.nn.Conv2d(3, 2, 3, padding=1), tmp_path / "whole.onnx")
    apart = tmp_path / "apart.onnx"
    onnx.save_model(onnx.load(whole), apart, save_as_external_data=True, location="w.bin", size_threshold=0)
    hub.commits[FIRST] |= {"o/apart.onnx": apart.read_bytes(), "o/w.bin": (tmp_path / "w.bin").read_bytes()}
    given = ModelConfig.model_validate({"kind": "onnx", "path": "hf://owner/nets/o/apart.onnx"})
    cpu, x = torch.device("cpu"), torch.rand(1, 3, 16, 16)
    expected = load(ModelConfig(kind="onnx", path=whole), 3, cpu)(x)
    located = locate_model(given).model
    assert located.path is not None
    # sessions that are opened from the bytes of the graph take no link that leads out of its folder
    assert not any(file.is_symlink() for file in located.path.parent.iterdir())
    assert torch.equal(load(located, 3, cpu)(x), expected)
    del hub.commits[FIRST]["o/w.bin"]
    hub.commits[SECOND] |= {"o/apart.onnx": apart.read_bytes()}
    with pytest.raises(ModelError, match=r"has no file o/w\.bin at b"):
        locate_model(ModelConfig.model_validate({"kind": "onnx", "path": f"hf://owner/nets/o/apart.onnx@{SECOND}"}))


def test_progress_is_drawn_unless_it_is_turned_off(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TQDM_POSITION", "-1")  # bars are drawn without a terminal, too
    locate_model(model(), silent=True)
    assert capsys.readouterr().err == ""
    locate_model(model(f"{MAIN}@{SECOND}"))
    assert "unet.pt" in capsys.readouterr().err
