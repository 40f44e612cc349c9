import os
import tempfile

os.environ["WHOLECLOTH_CACHE"] = tempfile.mkdtemp(prefix="wholecloth-tests-")

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("calm", deadline=None)  # machines are shared
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    torch.set_num_threads(1)
