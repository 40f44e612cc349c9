"""Reading pretrained weights."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import ModelError
from pipeline.train.pretrained import read_weights
from tests.train.pretrained.server import Server

STATE = {"features.0.weight": torch.arange(6.0).view(2, 3), "features.0.bias": torch.ones(2)}


class Payload:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def same(got: dict[str, torch.Tensor]) -> bool:
    return got.keys() == STATE.keys() and all(torch.equal(got[name], STATE[name]) for name in STATE)


def test_safetensors_and_files_of_torch_save_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert all(same(read_weights(tmp_path / name)) for name in ("a.safetensors", "a.pth", "old.pth"))
    assert same(read_weights(str(tmp_path / "a.pth")))


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_a_trainers_checkpoint_is_unwrapped(tmp_path: Path, prefix: str) -> None:
    inside = {f"{prefix}{name}": tensor for name, tensor in STATE.items()}
    torch.save({"epoch": 3, "state_dict": {**inside, "criterion.weight": torch.ones(4)}}, tmp_path / "a.ckpt")
    assert same(read_weights(tmp_path / "a.ckpt"))


def test_a_prefix_that_only_some_keys_have_is_a_part_of_their_names(tmp_path: Path) -> None:
    torch.save({"model.a": torch.ones(1), "head.b": torch.ones(1)}, tmp_path / "a.pt")
    assert sorted(read_weights(tmp_path / "a.pt")) == ["head.b", "model.a"]


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_executed(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "executed"
    torch.save({**STATE, "extra": Payload(trace)}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_weights(tmp_path / "a.pth"))
    assert not trace.exists()
    torch.load(tmp_path / "a.pth", weights_only=False)
    assert trace.exists(), "the payload must be able to run, or this test says nothing"


def test_a_url_is_read_through_the_cache(tmp_path: Path, server: Server) -> None:
    torch.save(STATE, tmp_path / "a.pth")
    server.content = (tmp_path / "a.pth").read_bytes()
    assert same(read_weights(f"{server.url}/a.pth"))
    assert same(read_weights(f"{server.url}/a.pth"))
    assert server.asked == ["/a.pth"]


def test_a_file_that_is_not_there_is_told_with_what_may_be_given(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"There is no file .*gone\.pth to start from\. Give a file, an http or https URL"
    ):
        read_weights(tmp_path / "gone.pth")
    with pytest.raises(ModelError, match="Perhaps torchvision://vgg16 is meant"):
        read_weights("vgg16")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_file_without_weights_is_refused_by_its_own_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"The file .*a\.pth to start from is not a file of torch\.save") as caught:
        read_weights(tmp_path / "a.pth")
    assert "model.path" not in str(caught.value)


def test_a_page_in_the_place_of_weights_is_told_by_its_url_and_not_kept(tmp_path: Path, server: Server) -> None:
    server.content = b"<html>log in</html>"
    with pytest.raises(ModelError, match=rf"The file {server.url}/a\.pth to start from is not"):
        read_weights(f"{server.url}/a.pth")
    torch.save(STATE, tmp_path / "a.pth")
    server.content = (tmp_path / "a.pth").read_bytes()
    assert same(read_weights(f"{server.url}/a.pth"))
