"""Checkpoints as trainers write them, and what of them a network takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models import load
from pipeline.models.loaded import Loaded
from pipeline.models.weights.checkpoint_keys import select_entries
from tests import networks
from tests.models.weights.test_torch_pickle import Attributes, Payload

State = dict[str, torch.Tensor]


class Task(nn.Module):
    """As TorchGeo's tasks are: the network, a loss with weights of its own and metrics."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.model, self.criterion = network, nn.CrossEntropyLoss(weight=torch.ones(4))
        self.train_metrics, self.loss_fn = nn.BatchNorm1d(2), nn.PReLU()


def prefixed(prefix: str) -> Callable[[nn.Module], Any]:
    return lambda network: {f"{prefix}{name}": value for name, value in network.state_dict().items()}


def lightning(network: nn.Module) -> dict[str, Any]:
    """As Lightning writes it, with optimizer states, callbacks and hyperparameters of classes that are nowhere."""
    task = Task(network)
    optimizer = torch.optim.AdamW(task.parameters())
    sum(parameter.sum() for parameter in task.parameters()).backward()
    optimizer.step()
    return {
        "epoch": 3,
        "global_step": 99,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": task.state_dict(),
        "loops": {"fit_loop": {"a": Attributes()}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best": Path("a.ckpt")}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": Attributes(),
        "hyper_parameters_of_bad_intent": Payload(print, "called"),
    }


SHAPES: dict[str, tuple[Callable[[nn.Module], Any], tuple[str, ...]]] = {
    "bare": (prefixed(""), ()),
    "DDP": (prefixed("module."), ("prefix module. taken off the keys",)),
    "compiled": (prefixed("_orig_mod."), ("prefix _orig_mod. taken off the keys",)),
    "stacked": (prefixed("module.model._orig_mod."), ("prefix module.model._orig_mod. taken off the keys",)),
    "nested": (
        lambda network: {"epoch": 1, "model_state_dict": network.state_dict()},
        ("weights taken from model_state_dict", "not read: epoch"),
    ),
    "twice": (lambda network: {"net": {"state_dict": network.state_dict()}}, ("weights taken from net.state_dict",)),
    "both": (
        lambda network: {"model": prefixed("module.")(network)},
        ("weights taken from model", "prefix module. taken off the keys"),
    ),
    "lightning": (
        lightning,
        (
            "weights taken from state_dict",
            "prefix model. taken off the keys",
            "not used: criterion.weight, loss_fn.weight, train_metrics.bias, "
            "train_metrics.num_batches_tracked, train_metrics.running_mean, "
            "train_metrics.running_var and 1 more",
            "not read: epoch, global_step, pytorch-lightning_version, loops, callbacks, optimizer_states and 4 more",
        ),
    ),
}


def network() -> nn.Module:
    return networks.lively(networks.UNet())


def loaded(folder: Path, held: Any, **more: Any) -> Loaded:
    (folder / "nets.py").write_text("from tests.networks import UNet, Twice\nclass Wrapped(UNet):\n    pass\n")
    torch.save(held, folder / "last.ckpt", **more)
    return load(
        ModelConfig(kind="python", factory=f"{folder / 'nets.py'}:UNet", path=folder / "last.ckpt"),
        3,
        torch.device("cpu"),
    )


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_checkpoint_gives_the_network_it_was_made_of(
    name: str, zipped: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (make, notes), wanted, x = SHAPES[name], network(), torch.randn(1, 3, 32, 32)
    found = loaded(tmp_path, make(wanted), _use_new_zipfile_serialization=zipped)
    with torch.inference_mode():
        assert torch.equal(found(x), wanted(x))
    assert found.notes == notes
    assert capfd.readouterr() == ("", "")


def test_safetensors_lose_their_prefix_too(tmp_path: Path) -> None:
    save_file(prefixed("net.")(network()), tmp_path / "a.safetensors")
    (tmp_path / "nets.py").write_text("from tests.networks import UNet\n")
    config = ModelConfig(kind="python", factory=f"{tmp_path / 'nets.py'}:UNet", path=tmp_path / "a.safetensors")
    assert load(config, 3, torch.device("cpu")).notes == ("prefix net. taken off the keys",)


@pytest.mark.slow
def test_a_network_whose_own_keys_begin_like_a_wrapper_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(
        "import torch.nn as nn\nfrom tests.networks import UNet\ndef make():\n    return "
        "nn.ModuleDict({'model': UNet()})\n"
    )
    torch.save(prefixed("model.")(network()), tmp_path / "a.pt")
    config = ModelConfig(kind="python", factory=f"{tmp_path / 'nets.py'}:make", path=tmp_path / "a.pt")
    assert load(config, 3, torch.device("cpu")).notes == ()


def changed(change: Callable[[State], Any]) -> Any:
    state = prefixed("model.")(network())
    change(state)
    return {"state_dict": state}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (changed(lambda s: s.pop("model.head.weight")), "head.weight is missing"),
        (
            changed(lambda s: s.update({"model.haed.weight": s.pop("model.head.weight")})),
            r"head.weight is missing (nearest in the file: model.haed.weight)",
        ),
        (changed(lambda s: s.update({"model.aux.weight": torch.ones(1)})), "model.aux.weight is not a part of it"),
        (
            changed(lambda s: s.update({"teacher.head.weight": torch.ones(1)})),
            "teacher.head.weight is not a part of it",
        ),
        (
            changed(lambda s: s.update({"model.lossless.weight": torch.ones(1)})),
            "model.lossless.weight is not a part of it",
        ),
        (
            changed(lambda s: s.update({"model.head.weight": torch.ones(7, 6, 1, 1)})),
            "head.weight is (7, 6, 1, 1) in the file and (4, 6, 1, 1) in the network",
        ),
        (changed(lambda s: s.update({"model.head.weight": 3})), "holds int as head.weight"),
        ({"state_dict": {}, "epoch": 3}, "in which there is no state dict"),
        (torch.ones(3), "holds Lazy"),
        ({"model": network()}, "holds a pickled tests.networks.UNet, which cannot be rebuilt without executing code"),
    ],
)
def test_whatever_else_does_not_fit_is_told(held: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=re.escape(words)) as caught:
        loaded(tmp_path, held)
    assert "last.ckpt" in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_that_was_cut_short_is_told(zipped: bool, tmp_path: Path) -> None:
    loaded(tmp_path, network().state_dict(), _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "last.ckpt").read_bytes()
    for size in (40, len(data) // 2, len(data) - 9):
        (tmp_path / "last.ckpt").write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"last\.ckpt"):
            load(
                ModelConfig(kind="python", factory=f"{tmp_path / 'nets.py'}:UNet", path=tmp_path / "last.ckpt"),
                3,
                torch.device("cpu"),
            )


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_saved_on_a_gpu_is_read_on_the_cpu(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:7")
    wanted = network()
    found = loaded(tmp_path, wanted.state_dict(), _use_new_zipfile_serialization=zipped)
    with pytest.raises((RuntimeError, AssertionError)):  # there is no such device, which torch's reader says
        torch.load(tmp_path / "last.ckpt", weights_only=True)
    for name, value in found.module.state_dict().items():
        assert torch.equal(value, wanted.state_dict()[name])


@pytest.mark.parametrize(
    ("saved", "wanted", "notes"),
    [
        ("module.", "", ("prefix module. taken off the keys",)),
        ("_orig_mod.module.", "", ("prefix _orig_mod.module. taken off the keys",)),
        ("", "net", ("prefix net. put before the keys",)),
        ("module.", "model", ("prefix module. taken off the keys", "prefix model. put before the keys")),
        ("net.", "net", ()),
    ],
)
def test_common_prefixes_come_off_and_on_where_all_keys_then_match(
    saved: str, wanted: str, notes: tuple[str, ...]
) -> None:
    state = {f"{key}.weight": torch.ones(2) for key in ("first", "second")}
    names = {f"{wanted}.{key}" if wanted else key: value for key, value in state.items()}
    found = select_entries({saved + key: value for key, value in state.items()}, names, Path("a.pt"))
    assert found.entries.keys() == names.keys()
    assert found.notes == notes


@pytest.mark.parametrize(
    ("saved", "wanted"), [("encoder.module.first", "encoder.first"), ("encoder.first", "encoder._orig_mod.first")]
)
def test_words_of_wrappers_between_parts_are_passed_over(saved: str, wanted: str) -> None:
    found = select_entries(
        {f"{saved}.weight": torch.ones(2), "head.weight": torch.ones(3)},
        {f"{wanted}.weight": torch.ones(2), "head.weight": torch.ones(3)},
        Path("a.pt"),
    )
    assert found.entries[f"{wanted}.weight"].shape == (2,)
    with pytest.raises(ModelError, match=r"other\.weight is missing"):
        select_entries(
            {f"{saved}.weight": torch.ones(2)},
            {f"{wanted}.weight": torch.ones(2), "other.weight": torch.ones(3)},
            Path("a.pt"),
        )
