import numpy as np
import pytest
import torch
from torch import nn

from pipeline.inspect.halo import profile as halo_profile
from pipeline.models.loaded import Loaded
from tests import networks

EVERYWHERE = np.ones((64, 64), dtype=bool)


def profile(net: nn.Module, cut: int = 24, valid: np.ndarray = EVERYWHERE, seed: int = 0) -> halo_profile.HaloProfile:
    torch.manual_seed(seed)
    return halo_profile.measure_halo_profile(
        Loaded(module=net.eval(), identity_fields={}), [(torch.randn(1, 3, 64, 64), valid)], cut
    )


def test_errors_end_where_the_radius_does() -> None:
    found = profile(networks.Dilated())
    assert (found.largest[:6] > 1e-3).all()
    assert (found.largest[6:] < 1e-5).all()
    assert len(found.largest) == 64 - 24


def test_all_four_sides_count() -> None:
    """This network looks 3 px to the left and 1 px down.

    From a cut above nothing is missed, from one on the left three columns are.
    """
    found = profile(networks.Sideways())
    assert (found.largest[:3] > 1e-3).all()
    assert (found.largest[3:] < 1e-5).all()


def test_an_error_is_that_of_the_tile_against_the_whole() -> None:
    net = networks.lively(networks.UNet())
    found = profile(net, cut=16)
    torch.manual_seed(0)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        whole, errors = net(x)[0], []
        for k, (rows, cols) in enumerate(
            [((16, 64), (0, 64)), ((0, 48), (0, 64)), ((0, 64), (16, 64)), ((0, 64), (0, 48))]
        ):
            apart = (net(x[:, :, slice(*rows), slice(*cols)])[0] - whole[:, slice(*rows), slice(*cols)]).abs().amax(0)
            line = apart.amax(1 if k < 2 else 0)
            errors.append(line if k % 2 == 0 else line.flip(0))
        wanted = torch.stack(errors).amax(0) / whole.std()
    assert np.allclose(found.largest, wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_invalid_pixels_do_not_count() -> None:
    valid = EVERYWHERE.copy()
    valid[:, 24:27] = valid[24:27] = valid[:, 37:40] = valid[37:40] = False
    found = profile(networks.Sideways(), valid=valid)
    assert np.isinf(found.largest[:3]).all()
    assert found.largest[3:].max() < 1e-5
    assert found.valid == pytest.approx(valid.mean())


def test_the_smallest_halo_that_keeps_a_tolerance_is_a_multiple_and_keeps_it() -> None:
    found = profile(networks.Dilated())
    assert found.halo_for(1e-4, 1) == 6
    assert found.halo_for(1e-4, 4) == 8
    assert found.error(6) < 1e-4 < found.error(5)
    assert found.halo_for(1e3, 4) == 0


def test_a_network_that_looks_everywhere_keeps_to_no_tolerance() -> None:
    found = profile(networks.InstanceNormed())
    assert found.halo_for(1e-4, 1) is None
    assert found.error(30) > 1e-3


def test_labels_that_differ_are_counted_along_the_four_sides_of_a_core() -> None:
    made = halo_profile.HaloProfile(
        largest=np.array([1.0, 0.5, 0.0]),
        typical=np.zeros(3),
        flipped=np.array([0.5, 0.25, 0.0]),
        std=1.0,
        windows=1,
        valid=1.0,
    )
    assert made.differing(0, 30) == pytest.approx(4 * 0.75 / 30)
    assert made.differing(1, 30) == pytest.approx(4 * 0.25 / 30)
    assert np.isnan(made.error(3))


def test_one_logit_flips_where_its_sign_does() -> None:
    class One(networks.Dilated):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x)[:, :1]

    assert profile(One()).flipped[:6].max() > 0


def test_no_window_is_no_profile() -> None:
    with pytest.raises(ValueError, match="at least one window"):
        halo_profile.measure_halo_profile(Loaded(module=networks.Twice(), identity_fields={}), [], 8)


def test_a_distance_at_which_no_pixel_counted_is_taken_for_as_bad_as_a_nearer_one() -> None:
    valid = EVERYWHERE.copy()
    valid[26:30] = valid[34:38] = False
    valid[:, 26:30] = valid[:, 34:38] = False
    whole, holes = profile(networks.Dilated()), profile(networks.Dilated(), valid=valid)
    assert (holes.largest[2:6] == holes.largest[1]).all()
    assert holes.halo_for(1e-4, 1) >= whole.halo_for(1e-4, 1)
    nothing = profile(networks.Dilated(), valid=np.zeros_like(valid))
    assert np.isinf(nothing.largest).all()
    assert nothing.halo_for(0.5, 1) is None
