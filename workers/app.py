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

# By these, Celery or its command line would take another broker, application or configuration than
# the one below. Other programs use some of them, too, and then no message would ever be taken.
for _name in (
    *("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"),
    *("CELERY_RESULT_BACKEND", "CELERY_LOADER", "CELERY_CONFIG_MODULE"),
    *("APP", "BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE"),
):
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
