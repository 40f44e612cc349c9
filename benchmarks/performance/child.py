"""What the measured processes share: orders in a JSON file, an answer in another.

Imports nothing heavy, so that allocators can be set first.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read the orders that the command line names, do them, and write the answer where they say."""
    orders = json.loads(Path(sys.argv[1]).read_text())
    Path(orders["answer"]).write_text(json.dumps(work(orders)))


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak() -> int:
    """Largest number of bytes this process ever held; 0 where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
