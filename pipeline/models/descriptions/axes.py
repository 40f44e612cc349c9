"""Axes of tensors by letters, and what to do about those that images do not have."""

from __future__ import annotations

NETWORK_AXES = "bcyx"
"""Axes that networks have here: batch, bands, rows, cols."""
SEVERAL_INPUTS_ADVICE = (
    "and a description is read of one image. Give the file of its weights itself as model.path, and a source for each "
    "input in model.inputs."
)
"""What to do about a description of a network of several inputs."""


def axes_fault(letters: str) -> str:
    """Why these axes (b, c, y, x, z, t, or i for anything else) cannot be run, and what to do."""
    if "z" in letters:
        return "as networks of three dimensions have them. Take a network of images, with the axes bcyx."
    if "t" in letters or "i" in letters:
        return "one of which is neither batch, bands, rows nor cols. Take a network of images, with the axes bcyx."
    if letters == "byxc":
        return (
            "bands last, as TensorFlow has them. Export the network again with bands first (bcyx); for ONNX, tf2onnx "
            "does that by --inputs-as-nchw and --outputs-as-nchw."
        )
    return "and batch, bands, rows, cols (bcyx) are needed. Export the network again with these axes."
