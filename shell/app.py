"""A Celery application of ours: the pool's broker, our settings, and nothing of the environment's.

Making one loads no torch.
"""

from __future__ import annotations

import os

from celery import Celery

from maskpool import wire
from maskpool.settings import load_settings
from shell import transport

#: By these, Celery or its command line would take another broker, application or configuration than
#: ours. Other programs use some of them, too, and then no message would ever be taken.
_FOREIGN = (
    *("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"),
    *("CELERY_RESULT_BACKEND", "CELERY_LOADER", "CELERY_CONFIG_MODULE"),
    *("APP", "BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE"),
)


def make_app(tasks: str) -> Celery:
    """The application of a program.

    Args:
        tasks: The module with its Celery tasks.

    Raises:
        ConfigError: A setting is refused.
    """
    transport.install()
    for name in _FOREIGN:
        os.environ.pop(name, None)
    url = load_settings().redis_url.get_secret_value() or "redis://127.0.0.1:6379/0"
    app = Celery("maskpool", broker=wire.celery_url(url), include=[tasks])
    app.conf.update(wire.CELERY)
    app.conf.worker_send_task_events = True  # Flower lives on them
    app.conf.worker_consumer = "shell.events:UnhurriedConsumer"
    app.conf.task_send_sent_event = False
    return app
