"""What codecs make of masks and confidences: bytes per pixel, and pixels per second both ways, on one core.

    python benchmarks/codecs.py [STORE …] [--rounds 5] [--small]

Layers of stores that a run made, chunk by chunk as they are stored, and a mask of noise, of which no codec can make
much. Codecs take turns in every round; rates are medians of the rounds. Prints a Markdown table per layer.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numcodecs
import numpy as np
import numpy.typing as npt
import typer
import zarr
from numcodecs import LZ4, Blosc, GZip, Zstd

SHUFFLES = {"": Blosc.NOSHUFFLE, " bitshuffle": Blosc.BITSHUFFLE}
CODECS: dict[str, Any] = {
    **{f"zstd {level}": Zstd(level=level) for level in (0, 1, 3, 5, 9)},
    **{
        f"blosc {name} 5{said}": Blosc(cname=name, clevel=5, shuffle=how)
        for name in ("lz4", "zstd")
        for said, how in SHUFFLES.items()
    },
    "lz4": LZ4(),
    **{f"gzip {level}": GZip(level=level) for level in (1, 5)},
}
"""In numcodecs, which zarr's own codecs call, so that nothing but the codec is measured."""
Chunks = list[npt.NDArray[np.uint8]]
Rates = tuple[float, float, float]
"""Bytes per pixel; encoded and decoded Mpx/s."""


def main(
    stores: Annotated[list[Path] | None, typer.Argument(help="Whose mask and confidence are taken.")] = None,
    rounds: int = 5,
    small: Annotated[bool, typer.Option("--small", help="See that it works; the figures say nothing.")] = False,
) -> None:
    """Measure and print."""
    numcodecs.blosc.set_nthreads(1)
    side, rounds = (128, 1) if small else (512, rounds)
    print(_where())
    for name, chunks in [
        *_stored(stores or [], 2 if small else 64),
        ("mask of noise", noise(side, 2 if small else 16)),
    ]:
        print(f"\n{name}, {len(chunks)} chunks of {chunks[0].shape[0]} px\n\n{table(measure(chunks, rounds))}")


def measure(chunks: Chunks, rounds: int) -> dict[str, Rates]:
    """What each codec makes of the same chunks."""
    pixels = sum(chunk.size for chunk in chunks)
    found: dict[str, list[tuple[int, float, float]]] = {name: [] for name in CODECS}
    for _ in range(rounds):
        for name, codec in CODECS.items():
            found[name].append(once(codec, chunks))
    return {
        name: (
            took[0][0] / pixels,
            *(pixels / 1e6 / statistics.median(each) for each in list(zip(*took, strict=True))[1:]),
        )
        for name, took in found.items()
    }


def once(codec: Any, chunks: Chunks) -> tuple[int, float, float]:
    """Bytes, and seconds to encode and to decode; what comes back is compared."""
    start = time.perf_counter()
    encoded = [codec.encode(chunk) for chunk in chunks]
    middle = time.perf_counter()
    decoded = [codec.decode(data) for data in encoded]
    end = time.perf_counter()
    for chunk, back in zip(chunks, decoded, strict=True):
        if not np.array_equal(np.frombuffer(back, np.uint8), chunk.ravel()):
            raise RuntimeError(f"{codec} gave other bytes back.")
    return sum(len(data) for data in encoded), middle - start, end - middle


def noise(side: int, count: int) -> Chunks:
    """Chunks of five classes drawn for each pixel alone: log2(5) = 2.3 bits each at best."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 5, (side, side)).astype("uint8") for _ in range(count)]


def table(found: dict[str, Rates]) -> str:
    """As Markdown."""
    rows = [
        f"| {name} | {size:.4f} | {encode:,.0f} | {decode:,.0f} |" for name, (size, encode, decode) in found.items()
    ]
    return "\n".join(["| codec | bytes per px | encoded, Mpx/s | decoded, Mpx/s |", "|---|---|---|---|", *rows])


def _stored(stores: list[Path], most: int) -> Iterator[tuple[str, Chunks]]:
    for store in stores:
        for layer in ("mask", "confidence"):
            if (store / "0" / layer).exists():
                array = zarr.open_array(store / "0" / layer, mode="r")
                corners = [
                    (r, c)
                    for r in range(0, array.shape[0], array.chunks[0])
                    for c in range(0, array.shape[1], array.chunks[1])
                ]
                rows, cols = array.chunks
                yield (
                    f"{layer} of {store.name}",
                    [np.ascontiguousarray(array[r : r + rows, c : c + cols]).view(np.uint8) for r, c in corners[:most]],
                )


def _where() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, one core of {platform.machine()}, numcodecs "
        f"{numcodecs.__version__}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(typer.run(main))
