"""The halo that a tolerance allows, measured on the user's own pixels."""
