"""Areas of the classes of a complete store, counted once beside the server."""

from __future__ import annotations

import threading
from typing import Any

from pipeline.errors import PipelineError
from pipeline.quality.stats.stats import store_stats
from pipeline.store.foreign_arrays import open_array
from pipeline.viewer.scene import StoreScene


class AreaCount:
    """Counts when it is first asked. Safe from many threads."""

    def __init__(self, scene: StoreScene) -> None:
        self.scene = scene
        self._thread: threading.Thread | None = None
        self._answer: dict[str, Any] = {"state": "counting"}
        self._lock = threading.Lock()

    def describe(self) -> dict[str, Any]:
        """``state``: none, unfinished, counting, failed, or done, with ``rows`` of the classes as `stats` has them."""
        if self.scene.class_layer is None:
            return {"state": "none"}
        if not self.scene.is_complete:
            return {"state": "unfinished"}
        with self._lock:
            if self._thread is None:
                # a thread that ends with the process: nobody waits for a count that nobody will see
                self._thread = threading.Thread(target=self._count, name="class areas", daemon=True)
                self._thread.start()
        return self._answer

    def wait(self) -> dict[str, Any]:
        """The same, once it is counted."""
        self.describe()
        if self._thread is not None:
            self._thread.join()
        return self.describe()

    def _count(self) -> None:
        try:
            open_array(self.scene.path, self.scene.key(str(self.scene.class_layer), 0))
            rows = store_stats(self.scene.level)
        except (PipelineError, OSError, ValueError, RuntimeError) as error:
            self._answer = {"state": "failed", "why": str(error)}
            return
        self._answer = {
            "state": "done",
            "rows": [
                {"code": row.code, "pixels": row.pixels, "area": row.area, "unit": row.unit, "share": row.share}
                for row in rows
            ],
        }
