import os
import threading
import time
from pathlib import Path

import pytest

from pipeline.store.files import files_at
from pipeline.store.files import local as module


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_are_replaced_whole_and_unfinished_ones_are_not_listed(tmp_path: Path) -> None:
    files = files_at(tmp_path)
    files.put("a/b.json", b"1")
    files.put("a/b.json", b"2")
    files.put("a/c/d.json", b"3")
    (tmp_path / "a" / "c.partial").write_bytes(b"x")
    assert (files.get("a/b.json"), files.get("a/none"), files.get("a/b.json/c")) == (b"2", None, None)
    assert list(files.list("a")) == ["a/b.json", "a/c/d.json"]
    assert list(files.list()) == list(files.list("a"))
    assert list(files.list("none")) == []
    files.delete("a/b.json")
    files.delete("a/b.json")
    assert list(files.list("a")) == ["a/c/d.json"]


def test_of_many_that_create_a_file_one_succeeds_and_its_bytes_stay(tmp_path: Path) -> None:
    files, made = files_at(tmp_path), []
    threads = [
        threading.Thread(target=lambda k=k: made.append((files.create("a/lease", bytes([k])), k))) for k in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [k for won, k in made if won]
    assert len(winners) == 1
    assert files.get("a/lease") == bytes(winners)
    assert names(tmp_path) == ["a/lease"]


def test_a_write_that_fails_leaves_the_old_file_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_at(tmp_path)
    files.put("a", b"old")

    def full(handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        files.put("a", b"new")
    assert files.get("a") == b"old"
    assert names(tmp_path) == ["a"]


def test_what_is_written_is_synced_with_every_folder_that_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(module, "_sync", lambda path: synced.append(path.relative_to(tmp_path).as_posix()))
    files = files_at(tmp_path)
    for key in ("c/0/0", "c/0/1", "c/1/0"):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()
    files.sync(["c/0/0", "c/0/1", "c/1/0"])
    assert synced == ["c/0/0", "c/0/1", "c/1/0", "c/1", "c/0", "c", "."]
    synced.clear()
    files.put("r/b", b"")
    assert synced == ["r", "."]


def test_sweeping_spares_what_a_living_writer_may_hold(tmp_path: Path) -> None:
    files = files_at(tmp_path)
    for name, written in (("old.partial", 1_000_000_000), ("young.partial", None), ("kept", 1_000_000_000)):
        (tmp_path / name).touch()
        if written:
            os.utime(tmp_path / name, (written, written))
    assert files.remove_partials(older_than=60) == 1
    assert names(tmp_path) == ["kept", "young.partial"]
    assert files.remove_partials() == 1
    assert names(tmp_path) == ["kept"]


def test_what_is_young_is_spared_by_a_machine_whose_clock_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "young.partial").touch()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    assert files_at(tmp_path).remove_partials(older_than=60) == 0
    assert names(tmp_path) == ["young.partial"]


def test_a_folder_that_was_made_durable_needs_no_second_look_at_what_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(module, "_sync", lambda path: synced.append(path.relative_to(tmp_path).as_posix()))
    files = files_at(tmp_path)
    files.put("c/0/0", b"")
    synced.clear()
    files.put("c/0/1", b"")
    assert synced == ["c/0"]
    synced.clear()
    files.put("c/1/0", b"")
    assert synced == ["c/1", "c"]  # the name of the new folder stands in the old one
    module.clear_durable_folders()
    synced.clear()
    files.put("c/0/2", b"")
    assert synced == ["c/0", "c", "."]


def test_files_are_listed_by_the_same_keys_from_wherever_the_root_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files_at(tmp_path).put("a/b/c", b"")
    monkeypatch.chdir(tmp_path)
    for root in (Path(), tmp_path, Path("../") / tmp_path.name):
        assert [list(files_at(root).list(prefix)) for prefix in ("", "a", "a/b")] == [["a/b/c"]] * 3
