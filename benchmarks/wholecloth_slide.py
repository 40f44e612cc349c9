"""`wholecloth run` on a slide, as `benchmarks.slides_peers` measures it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.performance.child import serve


def run(orders: dict[str, Any]) -> dict[str, Any]:
    """Run the command with its defaults, but for pages and exports, which the peer has none of."""
    job = {
        "source": {"kind": "slide", "path": orders["slide"], "mpp": orders["mpp"]},
        "model": {
            "kind": "torchscript",
            "path": orders["network"],
            "input": {"scale": 1 / 255},
            "classes": [{"name": name} for name in "abc"],
        },
        "output": {"path": orders["mask"], "exports": [], "report": False, "picture": False},
        "execution": {"device": "cpu"},
    }
    config = Path(orders["mask"]).with_suffix(".yaml")
    config.write_text(yaml.safe_dump(job))
    subprocess.run([sys.executable, "-m", "pipeline", "run", str(config), "--fresh", "--quiet"], check=True)
    return {"mask": f"{orders['mask']}/0/mask"}


if __name__ == "__main__":
    serve(run)
