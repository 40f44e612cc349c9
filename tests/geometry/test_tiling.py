"""One axis against brute force: every pixel of a block is kept once, by a tile that sees all that it depends on."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.geometry.span import Span, cut, round_up
from pipeline.geometry.tiling import HaloTiling, LatticeTiling

SIZES = {
    "length": st.integers(1, 300),
    "multiple": st.integers(1, 16),
    "halo": st.integers(0, 5),
    "core": st.integers(1, 8),
    "block": st.integers(1, 130),
}


@given(**SIZES, minimum=st.integers(1, 60))
def test_halo_tiles_keep_every_pixel_once_with_its_halo(
    length: int, multiple: int, halo: int, core: int, block: int, minimum: int
) -> None:
    axis = HaloTiling(length=length, multiple=multiple, halo=halo * multiple, core=core * multiple, minimum=minimum)
    for span in cut(length, block):
        kept: list[int] = []
        for piece in axis.tiles(span):
            kept += range(piece.keep.start, piece.keep.stop)
            assert piece.read.start % multiple == piece.read.stop % multiple == 0
            assert piece.read.start >= 0
            assert piece.read.stop <= axis.padded
            assert piece.read.start <= max(piece.keep.start - axis.halo, 0)
            assert piece.read.stop >= min(piece.keep.stop + axis.halo, axis.padded)
            assert piece.read.size >= minimum
            assert piece.read.size <= axis.largest
        assert kept == list(range(span.start, span.stop))


@given(**SIZES)
def test_a_local_function_computed_by_tiles_equals_the_whole(
    length: int, multiple: int, halo: int, core: int, block: int
) -> None:
    """A function of stride s and radius r, spelled out: each cell of s px sums the cells within r."""
    axis = HaloTiling(length=length, multiple=multiple, halo=halo * multiple, core=core * multiple)
    signal = np.zeros(axis.padded)
    signal[:length] = np.random.default_rng(length).normal(size=length)

    def network(x: np.ndarray) -> np.ndarray:
        cells = np.pad(x.reshape(-1, multiple).sum(1), halo)
        return np.repeat(np.convolve(cells, np.arange(1.0, 2 * halo + 2), "valid"), multiple)

    whole = network(signal)
    for span in cut(length, block):
        for piece in axis.tiles(span):
            tile = network(signal[piece.read.start : piece.read.stop])
            assert np.allclose(tile[piece.keep.index_in(piece.read)], whole[piece.keep.start : piece.keep.stop])


@given(
    length=st.integers(1, 300),
    multiple=st.integers(1, 8),
    size=st.integers(1, 10),
    step=st.integers(1, 10),
    block=st.integers(1, 130),
    near=st.integers(0, 5),
    far=st.integers(0, 20),
)
def test_lattice_tiles_of_a_block_are_those_of_the_raster_that_touch_it(
    length: int, multiple: int, size: int, step: int, block: int, near: int, far: int
) -> None:
    assume(step <= size)
    assume(near < size)
    near *= multiple
    axis = LatticeTiling(
        length=length, multiple=multiple, size=size * multiple, step=step * multiple, near=near, far=far
    )
    assert axis.padded >= length + far
    origins = sorted({min(o, axis.padded - axis.size) for o in range(-near, axis.padded, axis.step)})
    lattice = [Span(o, o + axis.size) for o in origins if o == -near or o - axis.step + axis.size < axis.padded]
    for span in cut(length, block):
        pieces = list(axis.tiles(span))
        assert [p.read for p in pieces] == [t for t in lattice if t.start < span.stop and t.stop > span.start]
        assert {x for p in pieces for x in range(p.keep.start, p.keep.stop)} == set(range(span.start, span.stop))


def test_tile_at_the_right_edge_ends_at_the_padded_edge() -> None:
    axis = HaloTiling(length=1000, multiple=32, halo=64, core=256)
    last = list(axis.tiles(Span(768, 1000)))[-1]
    assert last.read == Span(704, round_up(1000, 32))
    assert last.keep == Span(768, 1000)


@given(**SIZES, minimum=st.integers(1, 60), first=st.integers(0, 130), last=st.integers(0, 130))
def test_halo_tiles_of_a_part_keep_that_part_once_and_read_nothing_more(
    length: int, multiple: int, halo: int, core: int, block: int, minimum: int, first: int, last: int
) -> None:
    axis = HaloTiling(length=length, multiple=multiple, halo=halo * multiple, core=core * multiple, minimum=minimum)
    for span in cut(length, block):
        part = Span(span.start + first % span.size, span.stop - last % (span.size - first % span.size))
        pieces, hull = list(axis.tiles(span, part)), axis.read_span(span)
        assert [x for piece in pieces for x in range(piece.keep.start, piece.keep.stop)] == list(
            range(part.start, part.stop)
        )
        for piece in pieces:
            assert hull.start <= piece.read.start <= max(piece.keep.start - axis.halo, 0)
            assert hull.stop >= piece.read.stop >= min(piece.keep.stop + axis.halo, axis.padded)
            assert minimum <= piece.read.size <= axis.largest
            assert piece.read.start % multiple == piece.read.stop % multiple == 0
