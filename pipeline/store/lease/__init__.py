"""The lease of a store: which process writes it, and who may take it over."""
