"""Networks of several inputs: their names, and one image that holds the bands of all."""
