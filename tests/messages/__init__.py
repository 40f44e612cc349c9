"""What messages propose: collected from the source, looked up in the command and the config, and followed."""
