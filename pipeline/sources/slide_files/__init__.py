"""Slides as scanners store them: levels, tiles, and where each level lies on the slide."""
