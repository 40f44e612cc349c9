"""Halos that are cropped on their way through a graph of OpenVINO."""
