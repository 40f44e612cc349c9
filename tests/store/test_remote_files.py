"""The same small files on disk and on object storage."""

import threading
from pathlib import Path

import pytest

from pipeline.errors import ExtraError, StoreError, Unfinished
from pipeline.locations import Place, Remote
from pipeline.store import files as module
from pipeline.store.files import Files, belongs_to_others, clients, files_at
from tests import storage
from tests.storage import BUCKET, SECRET, TOKEN, Storage


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, s3: Storage, tmp_path: Path) -> Place:
    return tmp_path if request.param == "disk" else Remote(f"s3://{BUCKET}/{tmp_path.name}")


def remote(tmp_path: Path) -> Files:
    return files_at(Remote(f"s3://{BUCKET}/{tmp_path.name}"))


@pytest.mark.slow
def test_files_are_the_same_wherever_they_are(place: Place) -> None:
    files = files_at(place)
    assert (list(files.list()), files.get("a"), files.exists("a")) == ([], None, False)
    files.put("a/b.json", b"1")
    files.put("a/b.json", b"22")
    files.put("a/c/d.json", b"3")
    files.put("ab", b"")
    assert [files.get(key) for key in ("a/b.json", "a/none", "ab")] == [b"22", None, b""]
    assert [files.get(key, max_bytes=1) for key in ("a/b.json", "a/none", "ab")] == [b"2", None, b""]
    assert (files.exists("a/b.json"), files.exists("a")) == (True, False)
    assert list(files.list("a")) == ["a/b.json", "a/c/d.json"]
    assert list(files.list()) == ["a/b.json", "a/c/d.json", "ab"]
    assert list(files_at(place / "a").list()) == ["b.json", "c/d.json"]
    assert list(files.folders("a")) == [("a", ["b.json"]), ("a/c", ["d.json"])]
    assert (list(files.folders("none")), next(iter(files_at(place / "a").folders()))) == ([], ("", ["b.json"]))
    files.sync(files.list())
    assert files.remove_partials() == 0
    files.delete("a/b.json")
    files.delete("a/b.json")
    assert list(files.list()) == ["a/c/d.json", "ab"]


def test_of_many_that_create_a_file_one_succeeds_wherever_it_is(place: Place) -> None:
    files, made, start = files_at(place), [], threading.Barrier(12)

    def create(k: int) -> None:
        start.wait()
        made.append((files.create("lease", bytes([k])), k))

    threads = [threading.Thread(target=create, args=(k,)) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [k for won, k in made if won]
    assert len(made) == 12
    assert len(winners) == 1
    assert files.get("lease") == bytes(winners)
    assert not files.create("lease", bytes(winners))  # not even with the same bytes


@pytest.mark.slow
def test_very_many_files_are_listed_and_deleted_by_the_thousand(s3: Storage, tmp_path: Path) -> None:
    files = remote(tmp_path)
    for k in range(1003):
        files.put(f"r/{k:05d}", b"x")
    s3.forget()
    assert list(files.list("r")) == [f"r/{k:05d}" for k in range(1003)]
    assert [method for method, _, _ in s3.asked] == ["GET", "GET"]
    s3.forget()
    pages = files.folders("")
    assert next(pages) == ("r", [f"{k:05d}" for k in range(1003)])
    assert [method for method, _, _ in s3.asked] == ["GET", "GET"]
    from pipeline.store.files.object_storage import Bucket

    s3.forget()
    Bucket(files.root).clear(list(files.list()))  # type: ignore[arg-type]
    assert [method for method, _, _ in s3.asked] == ["GET", "GET", "POST", "POST"]
    assert list(files.list()) == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [503, 500, 429])
def test_storage_that_fails_twice_is_asked_again(s3: Storage, tmp_path: Path, status: int) -> None:
    files = remote(tmp_path)
    s3.fail({"count": 2, "status": status})
    files.put("a", b"1")
    for method, ask in (
        ("PUT", lambda: files.put("a", b"2")),
        ("GET", lambda: files.get("a")),
        ("HEAD", lambda: files.exists("a")),
        ("GET", lambda: list(files.list())),
        ("PUT", lambda: files.create("b", b"3")),
        ("POST", lambda: files.delete("a")),
    ):
        s3.forget()
        s3.fail({"method": method, "count": 2, "status": status})
        ask()
        assert [code for asked, _, code in s3.asked if asked == method][:2] == [status] * 2
    assert storage.contents(files.root) == {"b": b"3"}  # type: ignore[arg-type]


def test_who_created_a_file_knows_it_though_the_answer_was_lost(s3: Storage, tmp_path: Path) -> None:
    """The first PUT is done, but its answer comes to nobody; the second finds the file there."""
    files = remote(tmp_path)
    s3.fail({"method": "PUT", "count": 1, "lost": True})
    assert files.create("lease", b"mine")
    assert [(method, status) for method, _, status in s3.asked] == [("PUT", 200), ("PUT", 412), ("GET", 200)]
    assert not files.create("lease", b"mine")


@pytest.mark.slow
def test_storage_that_stays_away_ends_the_run_and_tells_no_secret(s3: Storage, tmp_path: Path) -> None:
    files = remote(tmp_path)
    s3.fail({"status": 503})
    for ask in (
        lambda: files.put("a", b""),
        lambda: files.create("a", b""),
        lambda: files.get("a"),
        lambda: list(files.list()),
        lambda: files.delete("a"),
    ):
        with pytest.raises(Unfinished, match=rf"s3://{BUCKET}/.* is away .*run the same command again") as told:
            ask()
        assert not any(secret in str(told.value) for secret in (SECRET, TOKEN))
        assert "\n" not in str(told.value)


def test_storage_that_refuses_is_a_matter_of_credentials(s3: Storage, tmp_path: Path) -> None:
    s3.fail({"status": 403})
    files = remote(tmp_path)
    for ask in (
        lambda: files.put("a", b""),
        lambda: files.create("a", b""),
        lambda: files.get("a"),
        lambda: list(files.list()),
        lambda: files.delete("a"),
    ):
        with pytest.raises(StoreError, match=r"refuses us .*Credentials come from the environment") as told:
            ask()
        assert "<" not in str(told.value)
    s3.forget()
    assert list(files_at(Remote("s3://nobodys/a.zarr")).list()) == []
    with pytest.raises(StoreError, match="there is no bucket nobodys"):
        files_at(Remote("s3://nobodys/a.zarr")).put("a", b"")


def test_a_profile_is_read_where_the_environment_holds_no_key(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n[mine]\naws_access_key_id = "
        "AKIAMINE\naws_secret_access_key = y\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for profile, key in ((None, "AKIAOTHER"), ("mine", "AKIAMINE")):
        storage.forget()
        if profile:
            monkeypatch.setenv("AWS_PROFILE", profile)
        remote(tmp_path).put("a", b"1")
        assert s3.keys[-1] == key
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    storage.forget()
    with pytest.raises(StoreError, match=r"profile of AWS cannot be used .*nobodys.*AWS_PROFILE"):
        remote(tmp_path).put("a", b"1")


@pytest.mark.parametrize("url", ["ftp:/x", "localhost:9000", "http://me:secret@host"])
def test_an_endpoint_that_is_none_is_told_without_its_password(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    storage.forget()
    with pytest.raises(StoreError, match=r"AWS_ENDPOINT_URL is .* no endpoint") as told:
        remote(tmp_path).put("a", b"")
    assert "secret" not in str(told.value)
    storage.forget()


@pytest.mark.parametrize(("name", "said"), [("AWS_NO_SIGN_REQUEST", "YES"), ("AWS_SKIP_SIGNATURE", "true")])
def test_buckets_that_are_open_to_all_need_no_credentials(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv(name, said)
    storage.forget()
    remote(tmp_path).put("a", b"1")
    assert s3.keys[-1] is None


def test_other_storage_has_clients_that_can_name_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "ours")
    storage.forget()
    assert "ours" in repr(clients.client("az", "container"))
    assert "bucket" in repr(clients.client("gs", "bucket"))
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT")
    storage.forget()
    with pytest.raises(StoreError, match=r"az://container cannot be used .*environment"):
        clients.client("az", "container")
    storage.forget()


def test_nobody_else_is_taken_for_ours(place: Place) -> None:
    files_at(place).put("theirs", b"something else")
    files_at(place).put("ours", b"<VRT>the mark</VRT>")
    files_at(place).put("folder/x", b"")
    assert [belongs_to_others(place / name, "the mark") for name in ("theirs", "ours", "none")] == [True, False, False]


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(ExtraError, match=r"wholecloth\[cloud\]"):
        module.files_at(Remote("s3://a/b")).get("c")
