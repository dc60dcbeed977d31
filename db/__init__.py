"""Batches, jobs, chunks and instances as rows, and every statement that changes them."""
