"""What a plan says beside its job."""
