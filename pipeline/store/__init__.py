"""The mask store: one Zarr hierarchy that every reader opens, and the ledger of its blocks."""
