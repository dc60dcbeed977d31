"""The truth: batches, jobs, chunks and instances as rows, and the statements that move them."""
