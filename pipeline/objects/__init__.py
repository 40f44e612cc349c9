"""Objects of a whole mask: connected components, what is measured of them, and their polygons, by blocks."""
