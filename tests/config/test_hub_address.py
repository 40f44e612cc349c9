"""Addresses of files of model repositories."""

from __future__ import annotations

import pytest

from pipeline.config import ModelConfig
from pipeline.config.hub_address import hub_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("address", "written", "commit"),
    [
        ("hf://owner/nets/a.onnx", "hf://owner/nets/a.onnx@main", None),
        ("hf://owner/nets@v1/deep/a b.pt", "hf://owner/nets/deep/a b.pt@v1", None),
        ("hf://owner/nets/a.pt@refs/pr/1", "hf://owner/nets/a.pt@refs/pr/1", None),
        ("hf://owner/nets@v1", "hf://owner/nets/config.json@v1", None),
        (f"hf://owner/nets@{COMMIT}", f"hf://owner/nets/config.json@{COMMIT}", COMMIT),
        (f"hf://owner/nets/a.pt@{COMMIT}", f"hf://owner/nets/a.pt@{COMMIT}", COMMIT),
        (f"hf://owner/nets/a.pt#commit={COMMIT}", f"hf://owner/nets/a.pt@main#commit={COMMIT}", COMMIT),
        (f"hf://owner/nets/a.pt@{COMMIT}#commit={'f' * 40}", f"hf://owner/nets/a.pt@{COMMIT}", COMMIT),
    ],
)
def test_an_address_has_one_way_to_be_written(address: str, written: str, commit: str | None) -> None:
    file = hub_file(address)
    assert str(file) == written
    assert file.commit == commit
    assert hub_file(written) == file


def test_a_branch_keeps_its_name_beside_its_commit() -> None:
    file = hub_file("hf://owner/nets/a.pt@v1")
    assert str(file.at(COMMIT)) == f"hf://owner/nets/a.pt@v1#commit={COMMIT}"
    assert file.at(COMMIT).has_same_name(file)


@pytest.mark.parametrize(
    "address",
    [
        "hf://owner/a.pt",
        "hf://owner/nets/",
        "hf://owner/nets",
        "hf://owner/nets@",
        "hf://owner/nets/../a.pt",
        "hf://../nets/a.pt",
        "hf://owner/nets@v1/a.pt@v2",
        "hf://owner/nets/a.pt#commit=1234",
        "hf://owner/nets/a.pt@",
        "hf://datasets/owner/nets/a.pt",
    ],
)
def test_another_form_is_refused_with_the_one_that_is_known(address: str) -> None:
    with pytest.raises(ValueError, match="hf://owner/repository/file@revision"):
        ModelConfig.model_validate({"path": address})


def test_a_config_keeps_the_address() -> None:
    model = ModelConfig.model_validate({"path": "hf://owner/nets/a.pt"})
    assert model.model_dump(mode="json")["path"] == model.place == "hf://owner/nets/a.pt"
