"""The report in words."""

import re
from pathlib import Path

import torch

from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.classifiers import vgg
from pipeline.models.native import build_native
from pipeline.train.pretrained import load_pretrained, read_weights, report_text
from tests.train.pretrained.nets import VGG16


def test_the_report_counts_every_sort_and_names_a_few() -> None:
    network = NETWORKS["fcn32s"](bands=4, classes=2, width=4, fc_width=4, norm=False)
    lines = report_text(load_pretrained(network, VGG16().state_dict(), "fcn32s")).splitlines()
    assert lines == [
        "fcn32s started from VGG16 without batch norm, by torchvision's names",
        "    27  as it was: pool3.0.0.bias, pool3.0.2.weight, pool3.0.2.bias and 24 more",
        "     1  mean over bands, times 3/4: pool3.0.0.weight 4×3×3×3 → 4×4×3×3",
        "     2  dense layer as a convolution: fc6.0.weight 16×1568 → 16×32×7×7, fc7.0.weight 16×16 → 16×16×1×1",
        "     3  begins anew: not in the weights: score.weight, score.bias, up32.weight",
        "     2  left out of the weights: classifier.6.weight, classifier.6.bias",
    ]


def test_another_number_of_classes_is_told() -> None:
    before, after = (NETWORKS["fcn"](bands=3, classes=classes, width=4) for classes in (4, 6))
    lines = report_text(load_pretrained(after, before.state_dict(), "fcn")).splitlines()
    assert (
        lines[-1]
        == "     2  begins anew: another number of classes: score.weight 4×16×1×1 → 6×16×1×1, score.bias 4 → 6"
    )


def test_the_guide_shows_the_report_of_a_start(tmp_path: Path) -> None:
    printed = re.findall(
        r"```text\n(.*?)```", (Path(__file__).resolve().parents[3] / "docs" / "transfer.md").read_text(), re.S
    )[0]
    torch.save(vgg(16, width=8, hidden=64).state_dict(), tmp_path / "vgg16.pth")
    network = build_native("fcn8s", {"bands": 4, "classes": 3, "norm": False, "width": 8, "fc_width": 8})
    assert f"{report_text(load_pretrained(network, read_weights(str(tmp_path / 'vgg16.pth')), 'fcn8s'))}\n" == printed
