"""Zip files are checked before anything of them is written."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.models.descriptions.archive import unpacked
from pipeline.models.descriptions.marks import BIOIMAGE_NAMES
from pipeline.models.descriptions.package import find_package
from pipeline.runtime.resources import cache_folder


def made(path: Path, name: str | zipfile.ZipInfo, content: bytes = b"x", flags: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", "type: model")
        archive.writestr(name, content)
        archive.infolist()[-1].flag_bits |= flags
    return path


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("weights.pt")
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("../weights.pt", b"x", "climbs out"),
        ("a/../../weights.pt", b"x", "climbs out"),
        ("/etc/weights.pt", b"x", "an absolute path"),
        ("C:/weights.pt", b"x", "an absolute path"),
        (link(), b"/etc/passwd", "is a link"),
        ("weights.pt", bytes(3 * 2**20), "grows from"),
    ],
)
def test_a_file_that_no_package_has_is_refused(
    name: str | zipfile.ZipInfo, content: bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=f"is refused: its file .*{reason}"):
        find_package(made(tmp_path / "a.zip", name, content), BIOIMAGE_NAMES)


def test_an_encrypted_file_and_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="is encrypted"):
        find_package(made(tmp_path / "a.zip", "weights.pt", flags=1), BIOIMAGE_NAMES)
    monkeypatch.setattr("pipeline.models.descriptions.archive.MAX_MEMBERS", 1)
    with pytest.raises(ModelError, match="holds 2 files, and 1 are allowed"):
        find_package(made(tmp_path / "b.zip", "weights.pt"), BIOIMAGE_NAMES)


def test_files_of_a_folder_in_the_archive_are_found_and_unpacked_once(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/bioimageio.yaml", "type: model")
        archive.writestr("model/weights.pt", b"content")
    package = find_package(path, BIOIMAGE_NAMES)
    assert package is not None
    first = package.file("weights.pt")
    assert first.read_bytes() == b"content"
    assert first.is_relative_to(cache_folder())
    written = first.stat().st_mtime_ns
    assert package.file("./weights.pt").stat().st_mtime_ns == written
    assert not list(first.parent.glob("*.partial"))


def test_a_damaged_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", "weights.pt", os.urandom(4096))
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("weights.pt")
    content = bytearray(path.read_bytes())
    content[entry.header_offset + 2000] ^= 255
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.pt of .* is damaged"):
        unpacked(path, entry)
    assert not list(cache_folder().rglob("weights.pt.*"))


def test_another_zip_file_is_no_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("net/code/rdf.yaml", "x")
    assert find_package(tmp_path / "a.pt", BIOIMAGE_NAMES) is None
