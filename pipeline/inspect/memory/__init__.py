"""The memory that a network takes per pixel, and the limit within which networks are measured."""
