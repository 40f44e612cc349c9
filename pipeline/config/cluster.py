"""Workers beyond this process: a batch system that is asked for them, or a scheduler that has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pipeline.config.values import ConfigSection, Count, parse_bytes

PROTOCOLS = ("tcp://", "tls://", "ws://", "wss://", "ucx://")


class TlsConfig(ConfigSection):
    """Certificates with which the scheduler, the workers and the command recognise each other; PEM files."""

    ca: Path = Field(description="certificate of the authority that signed the others")
    cert: Path = Field(description="certificate of this side")
    key: Path = Field(description="its key")


class SlurmConfig(ConfigSection):
    """Jobs of SLURM that hold the workers, as dask_jobqueue.SLURMCluster asks for them."""

    jobs: Count = Field(1, description="jobs that are asked for, and asked for again where one ends early")
    cores: Count = Field(description="of each job")
    memory: str | int = Field(description="of each job, such as 32GiB")
    processes: Count = Field(1, description="workers in each job, which share its cores and memory")
    queue: str | None = Field(None, description="partition")
    account: str | None = None
    walltime: str | None = Field(
        None,
        description="of each job, quoted: '04:00:00'; without one, what dask_jobqueue is configured with, 30 minutes",
    )
    interface: str | None = Field(None, description="network interface of scheduler and workers, such as ib0")
    python: str | None = Field(None, description="interpreter on the nodes; the one that runs this command by default")
    directives: list[str] = Field([], description="further lines of #SBATCH, such as --gres=gpu:1")
    prologue: list[str] = Field([], description="lines of shell before the workers start, such as: module load cuda")
    worker_arguments: list[str] = Field([], description="further arguments of dask worker")
    logs: Path | None = Field(None, description="folder of what the jobs print; the working directory by default")
    scratch: Path | None = Field(None, description="folder on the nodes for the workers' own files")
    tls: TlsConfig | None = None

    @field_validator("memory")
    @classmethod
    def _memory(cls, memory: str | int) -> str | int:
        parse_bytes(memory)
        return memory

    @field_validator("walltime", mode="before")
    @classmethod
    def _walltime(cls, walltime: object) -> object:
        if isinstance(walltime, str) and re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", walltime):
            return walltime
        if walltime is None:
            return None
        raise ValueError("write hours, minutes and seconds in quotes: '04:00:00', or days before them: '2-00:00:00'")

    @model_validator(mode="after")
    def _whole(self) -> SlurmConfig:
        if self.processes > self.cores:
            raise ValueError(f"processes is {self.processes}, more than the {self.cores} cores of a job")
        return self


class AddressConfig(ConfigSection):
    """A Dask scheduler that runs already, with workers of its own."""

    scheduler: str = Field(description="its address, such as tcp://10.0.0.5:8786, or tls://… with certificates")
    tls: TlsConfig | None = None
    threads: Annotated[int, Field(ge=1)] | None = Field(
        None, description="threads with which a worker computes; the cores of this machine by default"
    )

    @field_validator("scheduler")
    @classmethod
    def _protocol(cls, scheduler: str) -> str:
        if not scheduler.startswith(PROTOCOLS):
            raise ValueError(f"write {', '.join(PROTOCOLS)} before it, such as tcp://10.0.0.5:8786")
        return scheduler

    @model_validator(mode="after")
    def _encrypted(self) -> AddressConfig:
        if self.scheduler.startswith("tls://") and self.tls is None:
            raise ValueError("a scheduler at tls:// needs tls: {ca: …, cert: …, key: …}")
        return self
