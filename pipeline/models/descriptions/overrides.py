"""Keys of a config that take the place of what a description states."""

LINEAR = frozenset({"scale", "offset", "mean", "std"})
"""Keys of ``model.input`` that are numbers: any of them replaces a normalisation by numbers of the image."""
