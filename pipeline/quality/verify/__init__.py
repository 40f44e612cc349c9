"""A store proved: everything is there, labels are what the network says, and seams show nothing beyond what was promised."""
