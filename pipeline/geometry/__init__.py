"""Arithmetic on pixels: spans, windows, grids, tilings, blocks and shards; no reader, no network, no store."""
