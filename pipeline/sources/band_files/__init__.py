"""Scenes whose bands are files of their own: which file holds which band, and how bands are laid on one grid."""
