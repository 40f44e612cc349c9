import os
import tempfile

os.environ["WHOLECLOTH_CACHE"] = tempfile.mkdtemp(prefix="wholecloth-tests-")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER:  # before torch is there: threads of one worker would spin on the cores of the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("calm", deadline=None)  # machines are shared
settings.load_profile("calm")

if WORKER and hasattr(os, "sched_setaffinity"):
    # What tests run takes as many threads as it sees cores: with a core for each worker, workers do not fight over them.
    CORES = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {CORES[int(WORKER.removeprefix("gw")) % len(CORES)]})


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(1)
