"""Fetching weights, from a server on loopback."""

import hashlib
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipeline.errors import ModelError
from pipeline.train.pretrained import download
from pipeline.train.pretrained.download import PUBLISHED, address, fetched
from tests.train.pretrained.server import Server

CONTENT = bytes(range(256)) * 9000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _content(server: Server) -> None:
    server.content = CONTENT


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "pretrained").iterdir())


def test_a_file_is_fetched_once_and_kept(server: Server, tmp_path: Path) -> None:
    first = fetched(f"{server.url}/a/net.pth")
    assert first.read_bytes() == CONTENT
    assert first.parent == tmp_path / "pretrained"
    assert fetched(f"{server.url}/a/net.pth") == first
    assert server.asked == ["/a/net.pth"]
    assert fetched(f"{server.url}/b/net.pth") != first


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:8], DIGEST.upper()])
def test_a_file_of_the_hash_that_is_expected_is_taken(server: Server, digest: str) -> None:
    assert fetched(f"{server.url}/net.pth#sha256={digest}").read_bytes() == CONTENT
    assert server.asked == ["/net.pth"]


def test_a_file_of_another_hash_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"has the SHA-256 {DIGEST}, and 00000000 was expected"):
        fetched(f"{server.url}/net.pth#sha256=00000000")
    assert kept(tmp_path) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server) -> None:
    url = f"{server.url}/net.pth#sha256={DIGEST[:8]}"
    fetched(url).write_bytes(b"cut")
    assert fetched(url).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_file_that_is_cut_short_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.more = 5
    with pytest.raises(ModelError, match=f"cut short: {len(CONTENT)} of {len(CONTENT) + 5} bytes"):
        fetched(f"{server.url}/net.pth")
    assert kept(tmp_path) == []


def test_a_missing_file_says_so_in_one_paragraph(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError,
        match=r"/none\.pth cannot be fetched \(HTTPError: HTTP Error 404.*"
        r"download it elsewhere and give the file's path",
    ) as caught:
        fetched(f"{server.url}/none.pth")
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


def test_without_a_network_the_way_out_is_told() -> None:
    with Server() as closed:
        url = closed.url
    with pytest.raises(
        ModelError,
        match=r"cannot be fetched \(URLError.*Where there is no network, "
        r"download it elsewhere and give the file's path",
    ) as caught:
        fetched(f"{url}/net.pth")
    assert caught.value.exit_code == 2


def test_names_of_torchvision_lead_to_its_files_with_their_hashes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address("torchvision://vgg16") == "https://download.pytorch.org/models/vgg16-397923af.pth#sha256=397923af"
    assert (
        address("torchvision://vgg16_bn") == "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth#sha256=6c64b313"
    )
    assert (
        address("torchvision://fcn_resnet50_coco")
        == "https://download.pytorch.org/models/fcn_resnet50_coco-1167a1af.pth#sha256=1167a1af"
    )
    assert all(name.startswith(f"{key}-") for key, name in PUBLISHED.items())
    monkeypatch.setattr(download, "TORCHVISION", server.url)
    url = address("torchvision://resnet50")
    assert url is not None
    with pytest.raises(ModelError, match="and 0676ba61 was expected"):
        fetched(url)
    assert server.asked == ["/resnet50-0676ba61.pth"]


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("hf://owner/repo/model.safetensors", "/owner/repo/resolve/main/model.safetensors"),
        ("hf://owner/repo@v1.2/folder/a b.pt", "/owner/repo/resolve/v1.2/folder/a%20b.pt"),
        ("hf://owner/repo/folder/a b.pt@v1.2", "/owner/repo/resolve/v1.2/folder/a%20b.pt"),
    ],
)
def test_files_of_hugging_face_repositories_are_found(
    server: Server, monkeypatch: pytest.MonkeyPatch, where: str, path: str
) -> None:
    monkeypatch.setattr(download, "HUGGING_FACE", server.url)
    url = address(where)
    assert url is not None
    assert fetched(url).name.endswith(unquote(path.rpartition("/")[2]))
    assert server.asked == [path]


@pytest.mark.parametrize(
    "where", ["torchvision://vgg99", "hf://owner/file", "file:///etc/passwd", "ftp://host/net.pt", "s3://bucket/net.pt"]
)
def test_another_name_or_scheme_is_refused_with_those_that_are_known(where: str) -> None:
    with pytest.raises(
        ModelError,
        match=r"is not known\. Give a file, an http or https URL, torchvision://NAME with one of vgg16, vgg16_bn",
    ):
        address(where)


def test_a_path_is_no_address() -> None:
    assert address("weights/net.pth") is None
