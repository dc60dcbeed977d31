"""The Celery application: ``celery -A workers.app worker`` and ``celery -A workers.app flower``.

Importing it loads no torch; the models come with the worker process (``workers.process``).
"""

from __future__ import annotations

import os

from celery import Celery

from maskpool import wire
from maskpool.settings import load_settings
from workers.broker import transport

transport.install()

# Celery lets them win over the broker that it is told, and then nothing would ever be taken.
for _name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
    os.environ.pop(_name, None)

_settings = load_settings()

app = Celery(
    "maskpool",
    broker=wire.celery_url(_settings.redis_url.get_secret_value() or "redis://127.0.0.1:6379/0"),
    include=["workers.tasks"],
)
app.conf.update(wire.CELERY)
app.conf.worker_send_task_events = True  # Flower lives on them
app.conf.worker_consumer = "workers.broker.events:UnhurriedConsumer"
app.conf.task_send_sent_event = False
