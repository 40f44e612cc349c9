"""What is known of an ensemble follows from what was measured of its networks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pipeline.errors import ModelError
from pipeline.geometry.margin import Margin, Trim
from pipeline.inspect.locality.joint import joint_locality
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import Locality, Radius
from pipeline.models.ensemble import Ensemble, EnsembleMember
from pipeline.models.loaded import Loaded
from tests import networks

LOCAL = Locality(
    verdict="local",
    stride=4,
    radius=Radius(top=1, bottom=2, left=3, right=4),
    bands=3,
    classes=2,
    minimum=8,
    remarks=("it hums",),
)


def joint(*localities: Locality) -> Locality:
    members = [
        EnsembleMember(
            network=Loaded(module=torch.nn.Identity(), identity_fields={}, bands=3), name=name, locality=locality
        )
        for name, locality in zip("abc", localities, strict=False)
    ]
    return joint_locality(Ensemble.of(members))


def test_stride_is_common_and_the_radius_the_largest_of_each_side() -> None:
    other = replace(LOCAL, stride=6, radius=Radius(top=9, bottom=0, left=0, right=0), minimum=10)
    found = joint(LOCAL, other)
    assert (found.verdict, found.stride, found.minimum, found.classes) == ("local", 12, 12, 2)
    assert found.radius == Radius(top=9, bottom=2, left=3, right=4)
    assert found.remarks == ("a: it hums", "b: it hums")
    assert (found.returns, found.bands) == ("probability", 3)


def test_the_worst_verdict_is_that_of_all() -> None:
    unproven = replace(LOCAL, verdict="unproven", blame=("grid_sample",))
    found = joint(LOCAL, unproven, replace(LOCAL, verdict="not local", radius=None, blame=("norm",)))
    assert (found.verdict, found.radius, found.blame) == ("not local", None, ("b: grid_sample", "c: norm"))
    assert joint(LOCAL, unproven).verdict == "unproven"


def test_one_size_and_a_largest_size_hold_for_all() -> None:
    assert joint(replace(LOCAL, size=64, minimum=64), LOCAL).size == 64
    assert joint(replace(LOCAL, maximum=103), replace(LOCAL, stride=8)).maximum == 96


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": 3}, "a returns 2 channels, and b returns 3"),
        ({"margin": Margin(rows=(trim := Trim(before=2, after=2, least=9, step=1)), cols=trim)}, "b leaves off 2 px"),
        ({"size": 66, "minimum": 66}, "one takes 66 px at most, and all together take multiples of 4 px from 68"),
    ],
)
def test_networks_that_cannot_share_a_tile_are_named(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        joint(LOCAL, replace(LOCAL, **change))  # type: ignore[arg-type]


def test_two_sizes_of_one_each_are_named() -> None:
    with pytest.raises(ModelError, match="a takes 64 px and b takes 128 px"):
        joint(*(replace(LOCAL, size=size, minimum=size) for size in (64, 128)))


def as_one(ensemble: Ensemble) -> Loaded:
    """An ensemble as a network of which nothing is known."""

    class Whole(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return ensemble(x)

    return Loaded(module=Whole(), identity_fields={}, bands=3)


def test_what_is_put_together_is_what_is_measured_of_the_whole() -> None:
    """Stride and radius of an ensemble, measured as if it were one network."""
    torch.manual_seed(0)
    parts = [
        Loaded(module=networks.lively(kind()), identity_fields={}, bands=3)
        for kind in (networks.Strided, networks.Sideways)
    ]
    members = [
        EnsembleMember(network=part, name=name, activation="softmax", weight=weight, locality=measure_locality(part, 3))
        for part, name, weight in zip(parts, "ab", (1.0, 3.0), strict=True)
    ]
    ensemble = Ensemble.of(members)
    put_together, measured = joint_locality(ensemble), measure_locality(as_one(ensemble), 3)
    assert (put_together.verdict, put_together.stride) == (measured.verdict, measured.stride)
    assert put_together.radius == measured.radius
