"""Transfer: networks of ours started from pretrained weights, and trained as a whole or by their heads alone."""

from pipeline.train.pretrained.freeze_body import Frozen, freeze
from pipeline.train.pretrained.match import start
from pipeline.train.pretrained.normalisation import imagenet
from pipeline.train.pretrained.read import read
from pipeline.train.pretrained.started import Reshaped, Started, tell

__all__ = ["Frozen", "Reshaped", "Started", "freeze", "imagenet", "read", "start", "tell"]
