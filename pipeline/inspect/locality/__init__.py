"""Measuring a network: its stride, its radius, and whether tiles can equal the whole."""

from pipeline.inspect.locality.measure import measure_locality

__all__ = ["measure_locality"]
