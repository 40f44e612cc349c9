from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ["WHOLECLOTH_CACHE"] = tempfile.mkdtemp(prefix="wholecloth-tests-")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER:  # before torch is there: threads of one worker would spin on the cores of the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from torch.jit import _builtins  # noqa: E402

if TYPE_CHECKING:
    from tests.storage import Storage

settings.register_profile("calm", deadline=None)  # machines are shared
settings.load_profile("calm")


def pytest_configure(config: pytest.Config) -> None:
    """See one core.

    What tests run takes as many threads, and computes as many tiles at once, as it sees cores: with one for each worker, or for all where there are none,
    workers do not fight over them, and a plan is the same on every machine. Who hands tests out to workers keeps all cores, which they inherit.
    """
    hands_out = not WORKER and bool(config.getoption("numprocesses", None))
    if hasattr(os, "sched_setaffinity") and not hands_out:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(WORKER.removeprefix("gw") or 0) % len(cores)]})


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _operations_stay() -> None:
    """torch.jit knows operations by their ids, also those that are gone: a module with a list in the place of one could once not be scripted."""
    register, kept = _builtins._register_builtin, []
    _builtins._register_builtin = lambda operation, name: (kept.append(operation), register(operation, name))[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Object storage, one for all tests of a worker."""
    from tests import storage

    with storage.served(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def s3(server: Storage) -> Iterator[Storage]:
    """Object storage that this process reaches, with nothing asked of it so far and no fault."""
    from tests import storage

    server.forget()
    with storage.reached(server):
        yield server
    server.forget()
