"""Transfer: networks of ours started from pretrained weights, and trained as a whole or by their heads alone."""

from pipeline.train.pretrained.freeze_body import Frozen, freeze_layers
from pipeline.train.pretrained.load_report import LoadReport, Reshaped, report_text
from pipeline.train.pretrained.match import load_pretrained
from pipeline.train.pretrained.normalisation import imagenet
from pipeline.train.pretrained.read import read_weights

__all__ = ["Frozen", "LoadReport", "Reshaped", "freeze_layers", "imagenet", "load_pretrained", "read_weights", "report_text"]
