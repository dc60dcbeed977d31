"""The one thread that owns the device, and what it takes at once."""
