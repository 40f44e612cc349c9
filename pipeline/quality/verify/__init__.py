"""A store proved: everything is there, and labels are what the network says.

Seams show nothing beyond what was promised.
"""
