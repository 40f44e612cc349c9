"""Numbers of a network that lie beyond what is stored of them."""

CLIPPED = "clipped"
"""Fetched beside the layers, (channels,) int64: wanted pixels whose number was clipped; only where that may be."""
