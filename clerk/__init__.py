"""The clerk: a Celery worker without torch for everything that takes longer than a request."""
