"""What the machine can do at best: forward passes, reading and writing, each without the others."""
