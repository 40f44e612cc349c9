"""Postprocessing of a mask into the layer ``cleaned``: steps over components and windows, by blocks."""
