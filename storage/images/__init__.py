"""The guarded way from a reference to an upright RGB array."""
