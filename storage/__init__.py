"""Where objects lie, and the guarded way from a reference to an image."""
