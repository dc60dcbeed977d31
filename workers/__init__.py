"""The GPU side: Celery workers that keep SAM3 and CLIP resident."""
