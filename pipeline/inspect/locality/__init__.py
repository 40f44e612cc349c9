"""Measuring a network: its stride, its radius, and whether tiles can equal the whole."""
