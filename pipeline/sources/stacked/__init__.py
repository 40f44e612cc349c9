"""Several sources as one: how their grids differ, how each comes to one grid, and what is read of all."""
