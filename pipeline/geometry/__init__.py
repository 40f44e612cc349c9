"""Spans, windows and grids: geometry without any reader."""
