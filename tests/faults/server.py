"""A server of byte ranges whose faults are named in a file: ``ok``, ``fail`` or ``hang``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.sources.served import LOCK, Handler


@dataclass(frozen=True, slots=True)
class Faulty:
    """A folder that is served."""

    url: str
    folder: Path

    @property
    def hangs(self) -> Path:
        """A file that is there once somebody waits for an answer that does not come."""
        return self.folder / "hangs"

    @property
    def failed(self) -> int:
        """Requests that failed so far."""
        return (self.folder / "failed").stat().st_size if (self.folder / "failed").exists() else 0

    def now(self, mode: str) -> None:
        """What the server does from now on."""
        (self.folder / "mode").write_text(mode)


@contextmanager
def faulty(raster: Path, folder: Path) -> Iterator[Faulty]:
    """Serve the folder of a raster, and keep what is said between us in another one."""
    folder.mkdir()
    (folder / "mode").write_text("ok")
    command = [sys.executable, "-u", "-m", "tests.faults.server", str(raster.parent), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as server:
        try:
            assert server.stdout is not None
            yield Faulty(f"{server.stdout.readline().strip()}/{raster.name}", folder)
        finally:
            server.kill()


class FaultyHandler(Handler):
    """One that does as the file says, where ranges are asked for."""

    notes: Path

    def _fails(self) -> bool:
        if "Range" not in self.headers:
            return False
        while (self.notes / "mode").read_text() == "hang":
            (self.notes / "hangs").touch()
            time.sleep(0.02)
        failing = (self.notes / "mode").read_text() == "fail"
        with LOCK, (self.notes / "failed").open("a") as failed:
            failed.write("x" * failing)
        return failing


def main(folder: str, notes: str) -> None:
    """Serve until killed."""
    mine = type("Mine", (FaultyHandler,), {"folder": Path(folder), "log": Path(notes) / "log", "notes": Path(notes)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), mine)
    print(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
