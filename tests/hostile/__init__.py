"""Input that is broken on purpose, and a worker to send it to."""
