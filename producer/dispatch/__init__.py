"""The dispatcher: one tick, the loop around it, and how it speaks to Redis."""
