"""What was seen of a network comes back from plain values as it was."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from pipeline.models.cropping.network import crop_image
from pipeline.models.cropping.record import record_network
from pipeline.models.cropping.record_values import AXIS_RULES, record_of_values, values_of_record


def test_a_record_of_all_rules_survives_json() -> None:
    network = nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    )
    record = record_network(network.eval(), crop_image(3, 32, torch.device("cpu")))
    values = json.loads(json.dumps(values_of_record(record)))
    assert {name for step in values["steps"] if step for name, _ in [step["movement"]["rows"]]} == {*AXIS_RULES}
    assert record_of_values(values) == record


@pytest.mark.parametrize("values", [{}, {"steps": [{}], "output": 1, "size": [1, 1]}, {"steps": 3}])
def test_values_of_another_version_are_refused(values: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        record_of_values(values)
