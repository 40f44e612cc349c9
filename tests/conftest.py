from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = str(ROOT)  # what tests start imports these tests, wherever it runs
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
GIVEN = "WHOLECLOTH_TESTS_TUNABLES"
"""Variable by which a worker learns what GLIBC_TUNABLES was before the tests set it for their workers."""
os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Read before torch is there, and by what tests start: a plan is then the same on every machine, and workers do not
fight over cores."""
if GIVEN in os.environ:  # glibc has read it; what tests start has what was given
    os.environ["GLIBC_TUNABLES"] = os.environ.pop(GIVEN)
    if not os.environ["GLIBC_TUNABLES"]:
        del os.environ["GLIBC_TUNABLES"]

gc.disable()
"""Until everything is collected: imports leave no garbage to speak of, and to look for it takes a quarter of their
time."""

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from pipeline.runtime import allocator  # noqa: E402
from pipeline.runtime.cancellation import CANCELLED  # noqa: E402
from tests.commands import read_at_start  # noqa: E402
from tests.privacy.forget import forget  # noqa: E402
from tests.temporary import Temporary, pytest_runtest_makereport, pytest_runtest_teardown  # noqa: E402
from tests.tiers import pytest_addoption, pytest_collection_modifyitems  # noqa: E402

if TYPE_CHECKING:
    from tests.storage import Storage

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_runtest_makereport", "pytest_runtest_teardown"]

# machines are shared, and a change is judged by what it changes
settings.register_profile("test", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("nightly", deadline=None, max_examples=500)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose where tests write and how hard they try."""
    hear_interrupts()
    settings.load_profile("nightly" if config.getoption("--tier") == "nightly" else "test")
    if not (WORKER or config.option.basetemp):
        config.pluginmanager.register(Temporary(config))
    os.environ["WHOLECLOTH_STATE"] = tempfile.mkdtemp(prefix="state-", dir=Path(config.option.basetemp).parent)
    os.environ["WHOLECLOTH_CACHE"] = tempfile.mkdtemp(prefix="cache-", dir=Path(config.option.basetemp).parent)
    if not WORKER and config.getoption("numprocesses", None):
        give_workers_memory()


def hear_interrupts() -> None:
    """Take the signal of Ctrl-C where a shell had it ignored, as it does for `make test &`.

    What tests start and interrupt would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def give_workers_memory() -> None:
    """Have workers keep what they free, as the public command does.

    A quarter of a network's time in tests goes into pages that are mapped anew.
    """
    tuned = allocator.env_with_settings(os.environ)
    if tuned is not None:
        os.environ.update({GIVEN: os.environ.get("GLIBC_TUNABLES", ""), "GLIBC_TUNABLES": tuned["GLIBC_TUNABLES"]})


def pytest_collection_finish() -> None:
    """Leave what collecting made out of every later search for garbage: it is the most of what there is, and stays.

    Search rarely, too: each search goes through the libraries that tests have imported since, and one test of a second
    took nine.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed before any fixture is made, so that one of a module does not depend on the test that came before."""
    import torch  # here, since the process that hands tests out to workers runs none

    CANCELLED.clear()  # one test may have ended a run that another would take for its own
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Take back what libraries write into the environment, as Dask's nannies do.

    Commands that are started later would be started with it.
    """
    before = read_at_start(os.environ)
    result = yield
    for name in read_at_start(os.environ).keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    return result


@pytest.fixture(scope="session", autouse=True)
def _operations_stay() -> None:
    """torch.jit knows operations by their ids, also those that are gone.

    A module with a list in the place of one could once not be scripted.
    """
    from torch.jit import _builtins

    register, kept = _builtins._register_builtin, []
    _builtins._register_builtin = lambda operation, name: (kept.append(operation), register(operation, name))[1]


@pytest.fixture(autouse=True)
def _names_are_forgotten() -> Iterator[None]:
    """What a command concealed in this process: with the command its process would have ended."""
    yield
    forget()


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
