"""Many rasters read as one: pieces, what is known of each without opening it, and the source that composes them."""
