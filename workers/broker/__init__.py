"""What of Celery and kombu had to be replaced: what is let in, and when events are sent."""
