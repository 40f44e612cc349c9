import hashlib

import numpy as np
import pytest

from pipeline.errors import ReadError
from pipeline.geometry.window import Window
from pipeline.inference import read as stage
from pipeline.interfaces import Pixels

WINDOW = Window(row=0, col=0, height=2, width=2)


class Flaky:
    def __init__(self, faults: int) -> None:
        self.faults, self.calls = faults, 0

    def read(self, window: Window) -> Pixels:
        self.calls += 1
        if self.calls <= self.faults:
            raise ReadError("away")
        return Pixels(data=np.ones((1, 2, 2)), valid=np.ones((2, 2), bool))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PAUSE_S", 0)


def test_a_passing_fault_is_retried() -> None:
    source = Flaky(2)
    assert stage.read_with_retries(source, WINDOW, 2).data.sum() == 4  # type: ignore[arg-type]
    assert source.calls == 3


def test_a_lasting_fault_is_an_error() -> None:
    with pytest.raises(ReadError):
        stage.read_with_retries(Flaky(3), WINDOW, 2)  # type: ignore[arg-type]


def test_the_checksum_sees_pixels_and_validity() -> None:
    pixels = Flaky(0).read(WINDOW)
    other = Pixels(data=pixels.data, valid=~pixels.valid)
    assert stage.pixel_checksum(pixels) == stage.pixel_checksum(Flaky(0).read(WINDOW))
    assert stage.pixel_checksum(pixels) != stage.pixel_checksum(other)


def test_a_checksum_of_an_older_store_is_compared_with_its_like() -> None:
    pixels = Flaky(0).read(WINDOW)
    older = hashlib.blake2b(pixels.data.tobytes() + pixels.valid.tobytes(), digest_size=16).hexdigest()
    assert stage.pixel_checksum(pixels, like=older) == older
    assert (
        stage.pixel_checksum(pixels, like=stage.pixel_checksum(pixels))
        == stage.pixel_checksum(pixels, like=None)
        != older
    )
