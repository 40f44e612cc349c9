"""A real SLURM on this machine, in a folder of its own: munged, slurmctld and slurmd on loopback, as root.

``apt-get install slurm-wlm munge`` brings the programs. A test takes the fixture ``slurm`` by importing it::

    from tests.slurm_cluster import Slurm, slurm

and has ``sbatch``, ``squeue`` and ``scancel`` talk to it through ``slurm.environment``.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel")
PARTITION = "main"
CPUS, MEMORY_MB = 16, 65536
"""What the one node says that it has; jobs share what the machine really has."""
WAIT_S = 60

CONF = """
ClusterName=wholecloth
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MailProg=/bin/true
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName={partition} Nodes=here Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """A cluster that runs."""

    folder: Path
    partition: str = PARTITION

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which the commands of SLURM talk to it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def said(self, *command: str) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr} {self.logs()}"
        return done.stdout.strip()

    def jobs(self, state: str = "all") -> list[str]:
        """Numbers of the jobs that are there, or only of those ``running`` or ``pending``."""
        return self.said("squeue", "-h", "-o", "%i", "-t", state if state != "all" else "PD,R,CG,S").split()

    def wait(self, job: str, seconds: float = 300) -> str:
        """The state in which a job ended, such as COMPLETED."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.said("scontrol", "show", "job", job, "-o")
            state = shown.partition("JobState=")[2].partition(" ")[0]
            if state not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"):
                return state
            time.sleep(0.3)
        raise AssertionError(f"job {job} is still there after {seconds:.0f} s: {shown}")

    def logs(self) -> str:
        """Ends of what the daemons wrote."""
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.log"))
        )


def missing() -> str | None:
    """Why there can be no cluster here, or None."""
    lacks = [name for name in (*PROGRAMS, "scontrol") if shutil.which(name) is None]
    if lacks:
        return f"needs {', '.join(lacks)}: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "SLURM's daemons run as root here"


@contextmanager
def cluster() -> Iterator[Slurm]:
    """A cluster, and nothing of it afterwards."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="wholecloth-slurm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Slurm(folder=folder)
        _munge(stack, folder)
        _configure(folder)
        _daemon(stack, made, "slurmctld", "-D", "-c")
        _daemon(stack, made, "slurmd", "-D", "-c", "-N", "here")
        _until_idle(made)
        stack.callback(_cancel, made)
        yield made


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    why = missing()
    if why is not None:
        pytest.skip(why)
    with cluster() as made:
        yield made


def _munge(stack: ExitStack, folder: Path) -> None:
    place = folder / "munge"
    place.mkdir(mode=0o755)
    key = place / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    where = [f"--{name}-file={place / name}" for name in ("key", "pid", "log", "seed")]
    log = (folder / "munged.log").open("w")
    command = ["munged", "--foreground", "--force", f"--socket={place / 'socket'}", *where]
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    stack.callback(_ended, process)
    end = time.monotonic() + WAIT_S
    while not (place / "socket").exists():
        assert process.poll() is None, f"munged ended: {(folder / 'munged.log').read_text()}"
        assert time.monotonic() < end, "munged makes no socket"
        time.sleep(0.05)


def _configure(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    controller, daemon = _free_ports(2)
    said = CONF.format(
        host=socket.gethostname().partition(".")[0],
        controller=controller,
        daemon=daemon,
        folder=folder,
        cpus=CPUS,
        memory=MEMORY_MB,
        partition=PARTITION,
    )
    (folder / "slurm.conf").write_text(said)


def _daemon(stack: ExitStack, made: Slurm, name: str, *arguments: str) -> None:
    log = (made.folder / f"{name}.out.log").open("w")
    command = [name, *arguments, "-f", str(made.folder / "slurm.conf")]
    stack.callback(
        _ended, subprocess.Popen(command, env=made.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    )


def _until_idle(made: Slurm) -> None:
    end = time.monotonic() + WAIT_S
    state = ""
    while "idle" not in state:
        assert time.monotonic() < end, f"SLURM's node is {state or 'not there'}: {made.logs()}"
        time.sleep(0.3)
        found = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=made.environment, capture_output=True, text=True, timeout=WAIT_S
        )
        state = found.stdout


def _cancel(made: Slurm) -> None:
    """End every job, and wait for it: jobs outlive their daemon."""
    with suppress(AssertionError, subprocess.SubprocessError):
        for job in made.jobs():
            made.said("scancel", job)
        end = time.monotonic() + 20
        while made.jobs() and time.monotonic() < end:
            time.sleep(0.3)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(15)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
