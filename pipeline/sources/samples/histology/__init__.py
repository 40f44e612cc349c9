"""Tissue of a generated slide: regions, glands, nuclei, stains and ink, each a function of the seed and the place."""
