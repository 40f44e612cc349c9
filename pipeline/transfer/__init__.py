"""Transfer: networks of ours started from pretrained weights, and trained as a whole or by their heads alone."""

from pipeline.transfer.freeze import Frozen, freeze
from pipeline.transfer.normalisation import imagenet
from pipeline.transfer.read import read
from pipeline.transfer.start import start
from pipeline.transfer.started import Reshaped, Started, tell

__all__ = ["Frozen", "Reshaped", "Started", "freeze", "imagenet", "read", "start", "tell"]
