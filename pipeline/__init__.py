"""Segmentation of images too large for memory: one forward pass over an image that does not fit."""

__version__ = "0.1.0"
