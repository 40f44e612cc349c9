"""Measurements that are run by hand; the figures of the guides come from here."""
