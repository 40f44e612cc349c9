from pipeline.inference.normalise import Normalisation

HOW = Normalisation(scale=(1e-3,) * 3, offset=(0.0,) * 3, mean=(0.5,) * 3, std=(0.3,) * 3)
"""Of the pair that the tests learn from."""
