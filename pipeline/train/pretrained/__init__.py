"""Transfer: networks of ours started from pretrained weights, and trained as a whole or by their heads alone."""

from pipeline.train.pretrained.download import read_weights
from pipeline.train.pretrained.first_conv import imagenet
from pipeline.train.pretrained.freeze_body import Frozen, freeze_layers
from pipeline.train.pretrained.load_report import LoadReport, Reshaped, report_text
from pipeline.train.pretrained.match import load_pretrained

__all__ = [
    "Frozen",
    "LoadReport",
    "Reshaped",
    "freeze_layers",
    "imagenet",
    "load_pretrained",
    "read_weights",
    "report_text",
]
