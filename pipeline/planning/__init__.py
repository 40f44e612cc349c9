"""From a config to a job: everything that is decided before the first pixel; nothing is written."""
