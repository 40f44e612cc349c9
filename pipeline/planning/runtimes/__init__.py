"""Which runtime runs a job: facts, a trial, and the decision."""
