"""The local stack: its processes, and where its parts are."""
