"""How near the machine's ceilings a run is, beside other tools: ``python -m benchmarks.performance``.

Everything that is measured is a process of its own, since allocators, thread pools and caches are set once per process.
"""
