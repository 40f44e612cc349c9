"""Sources around sources: time limits, shared reads, mirrored edges."""
