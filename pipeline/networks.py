"""The earlier name of `pipeline.models.architectures`, which factories in stored configs and in the code of users bear.

``import pipeline.networks.fcn8s`` gives the module that holds the network today: Python looks a module up in
``sys.modules`` once it has imported the package (https://docs.python.org/3/reference/import.html#the-module-cache).
"""

from __future__ import annotations

import importlib
import sys

from pipeline.models import architectures
from pipeline.models.architectures import MOVED_MODULES, NETWORKS, revision

__all__ = ["NETWORKS", "revision"]

sys.modules |= {
    f"{__name__}.{old}": importlib.import_module(f"{architectures.__name__}.{new}")
    for old, new in MOVED_MODULES.items()
}
