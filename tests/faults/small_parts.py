"""The public command, which uploads every export in parts, however small it is: ``python small_parts.py export …``."""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from pipeline.store.files import object_storage  # noqa: E402  # the folder above must be known first

object_storage.LARGE_BYTES = 0
runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
