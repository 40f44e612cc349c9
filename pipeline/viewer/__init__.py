"""A local page that shows a store: tiles drawn on request, and a server that answers this machine alone.

Neither a network nor torch is loaded, and the source is opened only where the user allows it.
"""
