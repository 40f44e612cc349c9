"""What exports cost: the stores that are exported, other people's ways, and processes that are measured."""
