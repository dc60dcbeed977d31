"""What the GPU workers' Celery shell and the clerk's share: what of Celery and kombu we replace."""
