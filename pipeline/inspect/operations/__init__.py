"""The operations of a network while it runs, and which of them look beyond a bounded reach."""
