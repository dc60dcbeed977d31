"""The clerk: a Celery worker without torch, for what takes longer than a request."""
