"""Pixels and areas of each class, in the whole scene and in zones."""
