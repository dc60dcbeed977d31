"""The team profile in real containers, on an engine of its own."""
