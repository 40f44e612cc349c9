"""Pure arithmetic: sizes and byte budgets in, plan out; no reader, no network, no store."""
