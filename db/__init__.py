"""The database's tables of batches, jobs, chunks and instances, and every statement on them."""
