from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import AddressConfig, TlsConfig
from pipeline.config.load import load_config
from pipeline.engines import KINDS
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import EngineOptions
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import scenes
from tests.engines import works
from tests.engines.runs import Dask, digest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler with one worker."""
    with Dask(tmp_path_factory.mktemp("dask")) as made:
        made.worker()
        yield made


def terms(dask: Dask, said: list[str] | None = None, **more: Any) -> EngineOptions:
    return EngineOptions(
        address=AddressConfig(scheduler=dask.address, **more.pop("address", {})),
        notify=(said if said is not None else []).append,
        **more,
    )


def go(path: Path) -> Any:
    with Progress() as progress:
        return execute(prepare_job(load_config(path)), progress)


def test_every_item_is_worked_on_once_and_the_scheduler_lives_on(dask: Dask) -> None:
    for _ in range(2):
        with KINDS["address"](1, terms(dask)) as run:
            assert sorted(run(works.square, range(30))) == [k * k for k in range(30)]
    assert dask.scheduler.poll() is None


def test_an_error_reaches_the_caller_as_it_is(dask: Dask) -> None:
    with pytest.raises(KeyError, match="bad item"), KINDS["address"](1, terms(dask)) as run:
        list(run(works.bad, range(8)))


def test_a_job_has_the_same_bytes_as_one_by_one_also_where_a_worker_ran_another_before(
    dask: Dask, tmp_path: Path
) -> None:
    go(scenes.config(tmp_path, "reference"))
    for tile in ({"size": 40, "halo": 0}, {}):
        path = scenes.config(
            tmp_path, tile=tile, execution={"engine": "address", "address": {"scheduler": dask.address, "threads": 1}}
        )
        with Progress() as progress:
            execute(prepare_job(load_config(path), fresh=True), progress, fresh=True)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")


@pytest.mark.nightly("kills")
def test_a_worker_that_comes_late_takes_part_and_one_that_goes_is_replaced(tmp_path: Path) -> None:
    said: list[str] = []
    with Dask(tmp_path) as dask:
        first = dask.worker("--no-nanny")
        with KINDS["address"](1, terms(dask, said)) as run:
            results = run(works.Where(seconds=0.2), range(80))
            seen = [next(results)]
            dask.worker()
            while len(set(seen)) < 2:
                seen.append(next(results))
            first.send_signal(signal.SIGKILL)
            seen += list(results)
    assert len(seen) == 80
    assert any("has come and takes blocks" in line for line in said)
    assert any("is gone" in line for line in said)


def test_a_worker_that_lacks_something_ends_the_run_at_the_start(dask: Dask) -> None:
    with (
        pytest.raises(WorkerError, match=r"cannot run this job: the weights. Nothing was run"),
        KINDS["address"](1, terms(dask, needs=works.Lacking(what=("the weights",)))) as run,
    ):
        list(run(works.square, range(3)))


def test_a_worker_of_another_version_is_named(dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.dask.connection.versions", lambda: {"wholecloth": "9.9", "torch": "1.0"})
    with (
        pytest.raises(WorkerError, match=r"wholecloth \S+ is here, and 9.9 where.*torch \S+ is here"),
        KINDS["address"](1, terms(dask)) as run,
    ):
        list(run(works.square, range(3)))


def test_a_worker_without_wholecloth_is_named(tmp_path: Path) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text("import sys\nsys.modules['pipeline'] = None\n")
    with Dask(tmp_path) as dask:
        dask.worker(PYTHONPATH=str(tmp_path / "hide"))
        with pytest.raises(WorkerError, match="cannot be loaded there"), KINDS["address"](1, terms(dask)) as run:
            list(run(works.square, range(3)))


def test_a_worker_says_how_much_memory_it_may_take(tmp_path: Path) -> None:
    with Dask(tmp_path) as dask:
        dask.worker("--memory-limit", "2GiB")
        with (
            pytest.raises(WorkerError, match=f"room {2 * 2**30}"),
            KINDS["address"](1, terms(dask, needs=works.Rooms())) as run,
        ):
            list(run(works.square, range(3)))


def test_without_workers_a_run_gives_up_after_its_patience(tmp_path: Path) -> None:
    with (
        Dask(tmp_path) as dask,
        pytest.raises(Unfinished, match="there was no worker"),
        KINDS["address"](1, terms(dask, patience=1.5)) as run,
    ):
        list(run(works.square, range(3)))


@pytest.mark.nightly("kills")
def test_a_scheduler_that_goes_away_ends_the_run_to_be_run_again(tmp_path: Path) -> None:
    with Dask(tmp_path) as dask:
        dask.worker()
        with pytest.raises(Unfinished, match="scheduler"), KINDS["address"](1, terms(dask, patience=3)) as run:  # noqa: PT012  # it goes in between
            results = run(works.Where(seconds=0.2), range(1000))
            next(results)
            dask.scheduler.send_signal(signal.SIGKILL)
            list(results)


def test_an_address_where_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.address.CONNECT_S", 1)
    asked = EngineOptions(address=AddressConfig(scheduler="tcp://127.0.0.1:9"))
    with (
        pytest.raises(WorkerError, match=r"tcp://127\.0\.0\.1:9, where no Dask scheduler answers") as error,
        KINDS["address"](1, asked),
    ):
        pass
    assert error.value.exit_code == 2


def test_with_certificates_a_run_is_encrypted_and_without_them_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificates(tmp_path)
    options = ["--tls-ca-file", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key)]
    with Dask(tmp_path, *options, protocol="tls") as dask:
        dask.worker()
        assert dask.address.startswith("tls://")
        with KINDS["address"](1, terms(dask, address={"tls": tls})) as run:
            assert sorted(run(works.square, range(5))) == [0, 1, 4, 9, 16]
        monkeypatch.setattr("pipeline.engines.address.CONNECT_S", 3)
        plain = EngineOptions(address=AddressConfig(scheduler=dask.address.replace("tls://", "tcp://")))
        with pytest.raises(WorkerError, match="no Dask scheduler answers"), KINDS["address"](1, plain):
            pass


def certificates(folder: Path) -> TlsConfig:
    """One key and its certificate, which signs itself, made for this test."""
    pytest.importorskip("cryptography")
    from distributed import Security

    made = Security.temporary()
    (folder / "cert.pem").write_text(made.tls_ca_file)
    (folder / "key.pem").write_text(made.tls_client_key)
    return TlsConfig(ca=folder / "cert.pem", cert=folder / "cert.pem", key=folder / "key.pem")


def test_a_run_that_ends_early_stops_what_its_workers_are_at(dask: Dask, tmp_path: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        KINDS["address"](1, terms(dask, needs=works.Halted(tmp_path / "halted"))) as run,
    ):  # from within
        next(run(works.Where(seconds=0.1), range(100)))
        raise KeyboardInterrupt
    end = time.monotonic() + 10
    while not (tmp_path / "halted").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
