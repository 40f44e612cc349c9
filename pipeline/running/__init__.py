"""A job carried out: blocks, overviews, files beside the store, and its end."""
