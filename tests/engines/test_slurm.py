from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SlurmConfig, TlsConfig
from pipeline.config.load import load_config
from pipeline.engines import KINDS
from pipeline.engines.dask import cluster_settings
from pipeline.engines.slurm import cluster
from pipeline.errors import ExtraError, WorkerError
from pipeline.interfaces import EngineOptions
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import scenes
from tests.engines import works
from tests.engines.runs import digest, environment, started, wait_for
from tests.slurm_cluster import Slurm, slurm

__all__ = ["slurm"]


def script(asked: SlurmConfig, workers: int = 3, **more: Any) -> str:
    """What sbatch is given for one job."""
    pytest.importorskip("dask_jobqueue")
    with cluster_settings.dask_settings():
        made = cluster(workers, EngineOptions(slurm=asked, **more))
        try:
            return str(made.job_script())
        finally:
            made.close()


def test_the_job_asks_for_what_the_config_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0")
    asked = SlurmConfig(
        cores=8,
        memory="32GiB",
        processes=2,
        queue="gpu",
        account="forest",
        walltime="04:00:00",
        interface="lo",
        python="/opt/python",
        directives=["--gres=gpu:2", "--exclusive"],
        prologue=["module load cuda"],
        worker_arguments=["--lifetime", "3h"],
        logs=tmp_path / "logs",
        scratch=tmp_path,
    )
    said = script(asked, workers=3, threads=4)
    for line in (
        "#SBATCH -p gpu",
        "#SBATCH -A forest",
        "#SBATCH -t 04:00:00",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=32G",
        "#SBATCH --gres=gpu:2",
        "#SBATCH --exclusive",
        "module load cuda",
        "export GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0",
        "export OMP_NUM_THREADS=4",
    ):
        assert line in said.splitlines()
    worker = said.splitlines()[-1]
    assert worker.startswith("/opt/python -m distributed.cli.dask_worker")
    assert "--nworkers 2" in worker
    assert worker.rindex("--nthreads 3") > worker.index("--nthreads 4")  # the last one counts
    assert worker.rindex("--memory-limit 0") > worker.index("--memory-limit 16")
    for argument in ("--interface lo", "--lifetime 3h", "--death-timeout 60", f"--local-directory {tmp_path}"):
        assert argument in worker
    assert f"#SBATCH -o {tmp_path / 'logs'}" in said


def test_the_interpreter_of_this_process_is_the_one_of_the_workers() -> None:
    assert f"{sys.executable} -m distributed.cli.dask_worker" in script(SlurmConfig(cores=1, memory="1GiB"))


def test_certificates_reach_the_workers(tmp_path: Path) -> None:
    from distributed import Security

    pytest.importorskip("cryptography")
    made = Security.temporary()
    (tmp_path / "cert.pem").write_text(made.tls_ca_file)
    (tmp_path / "key.pem").write_text(made.tls_client_key)
    tls = TlsConfig(ca=tmp_path / "cert.pem", cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    said = script(SlurmConfig(cores=1, memory="1GiB", tls=tls))
    assert f"--tls-ca-file {tls.ca}" in said
    assert f"--tls-key {tls.key}" in said
    assert "tls://" in said


def test_without_its_extra_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    terms = EngineOptions(slurm=SlurmConfig(cores=1, memory="1GiB"))
    with pytest.raises(ExtraError, match=r"wholecloth\[slurm\]"), KINDS["slurm"](1, terms):
        pass


def test_where_sbatch_is_missing_the_run_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(WorkerError, match=r"SLURM takes no job: .*sbatch"),
        KINDS["slurm"](1, EngineOptions(slurm=SlurmConfig(cores=1, memory="1GiB"))),
    ):
        pass


@pytest.fixture
def here(slurm: Slurm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Slurm:
    """The cluster, for this process."""
    pytest.importorskip("dask_jobqueue")
    for name, value in {**environment(), "SLURM_CONF": slurm.environment["SLURM_CONF"]}.items():
        if name in ("PYTHONPATH", "SLURM_CONF"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return slurm


def asked(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "cores": 1,
        "memory": "2GiB",
        "interface": "lo",
        "walltime": "00:20:00",
        "logs": str(tmp_path / "logs"),
        "scratch": str(tmp_path),
        **more,
    }


def go(path: Path) -> Any:
    with Progress() as progress:
        return execute(prepare_job(load_config(path)), progress)


@pytest.mark.nightly("slurm")
def test_a_job_on_slurm_has_the_same_bytes_as_one_by_one_and_leaves_no_job_behind(here: Slurm, tmp_path: Path) -> None:
    go(scenes.config(tmp_path, "reference"))
    report = go(scenes.config(tmp_path, execution={"engine": "slurm", "workers": 2, "slurm": asked(tmp_path, jobs=2)}))
    assert report.complete
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    wait_for(lambda: not here.jobs("PD,R"), 20)


@pytest.mark.nightly("slurm")
def test_a_worker_that_is_cancelled_in_the_middle_costs_only_its_blocks_and_is_asked_for_again(
    here: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_settings, "TTL_S", 2)
    said: list[str] = []
    terms = EngineOptions(slurm=SlurmConfig(jobs=2, **asked(tmp_path)), notify=said.append)
    with KINDS["slurm"](1, terms) as run:
        results = run(works.Where(seconds=0.1), range(400))
        seen = [next(results)]
        while len({process for process, _ in seen}) < 2:
            seen.append(next(results))
        before = here.jobs("R")
        here.said("scancel", before[0])
        while sum("has come" in line for line in said) < 1 + ("has come" in "".join(said[:1])):
            seen.append(next(results))
        seen += list(results)
    assert len(seen) == 400
    assert any("is gone" in line for line in said)
    assert len({process for process, _ in seen}) >= 3


@pytest.mark.nightly("slurm")
def test_a_job_that_slurm_refuses_is_named_in_slurms_words(here: Slurm, tmp_path: Path) -> None:
    terms = EngineOptions(slurm=SlurmConfig(**asked(tmp_path, queue="nowhere")))
    with pytest.raises(WorkerError, match=r"SLURM takes no job: .*[Ii]nvalid partition"), KINDS["slurm"](1, terms):
        pass


@pytest.mark.nightly("slurm")
def test_jobs_of_a_command_that_was_killed_end_by_themselves(
    here: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "running.py").write_text(RUNNING.format(asked=asked(tmp_path)))
    log = (tmp_path / "log").open("w")
    with started(
        [sys.executable, str(tmp_path / "running.py")],
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment(**here.environment),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), (tmp_path / "log").read_text()
        assert here.jobs("R")
        process.kill()
        wait_for(lambda: not here.jobs("PD,R"), 60)
    log.close()


RUNNING = """
import sys
from pipeline.config import SlurmConfig
from pipeline.engines import KINDS, slurm
from pipeline.interfaces import EngineOptions
from tests.engines import works
slurm.DEATH_S = 5
with KINDS["slurm"](1, EngineOptions(slurm=SlurmConfig(**{asked}))) as run:
    for found in run(works.Where(seconds=0.3), range(10_000)):
        print(found[0], flush=True)
"""
