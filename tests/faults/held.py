"""The public command on a disk that is slow at one moment: ``FAULT_AT=commit:4:FOLDER python held.py run CONFIG``."""

import os
import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.faults.moments import watched  # noqa: E402  # the folder above must be known first

os.replace, os.rename = watched(os.replace), watched(os.rename)
runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
