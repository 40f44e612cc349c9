"""Since when stores and frozen plans have their first keys."""

FIRST_STORES = "2026-11-21 03:24"
"""When the first stores were made: they have every key that is as old."""
FROZEN_PLANS = "2026-11-21 18:59"
"""When the first plans were frozen: they have every key that is as old."""
