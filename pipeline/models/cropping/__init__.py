"""Halos cropped on their way through a network: layers compute what is kept of a tile, and no more."""
