"""Training: windows of images and labels, what judges, Lightning's loop over them, and what comes out."""
