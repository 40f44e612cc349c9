"""Colours of tissue that was stained with haematoxylin and eosin, by known vectors."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

VECTORS = np.array([[0.65, 0.70, 0.295], [0.30, 0.85, 0.433]])
"""Of unit length within 1 %. Eosin that lets all red through would be taken for glass in places."""
GLASS = 245


def tissue(side: int, seed: int = 0, vectors: np.ndarray = VECTORS, grain: float = 2.0) -> np.ndarray:
    """(side, side, 3) uint8: nuclei, a ground of eosin, and glass beyond a disc."""
    rng = np.random.default_rng(seed)
    fields = (ndimage.gaussian_filter(rng.random((side, side)), grain) for _ in range(3))
    nuclei, dark, ground = ((field - field.mean()) / field.std() for field in fields)
    share = 1 / (1 + np.exp(-6 * nuclei))
    amounts = np.stack([1.5 * share * np.exp(0.25 * dark), 0.9 * (1 - share) * np.exp(0.3 * ground)], axis=-1)
    density = amounts @ vectors
    rows, cols = np.ogrid[:side, :side]
    inside = ((rows - side / 2) ** 2 + (cols - side / 2) ** 2 < (0.46 * side) ** 2)[..., None]
    colours = np.where(inside, 240 * np.exp(-density) - 1, GLASS) + rng.normal(0, 0.4, (side, side, 1))
    return np.asarray(colours.clip(0, 255).round().astype(np.uint8))


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two vectors."""
    cosine = np.dot(first, second) / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
