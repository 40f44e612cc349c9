"""When each block was where: what the device waited for, and traces to look at."""
