"""Measures of the package's rooms, imports and names: ``python -m tests.house [OTHER CHECKOUT]``."""
