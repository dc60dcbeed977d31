"""The stock Celery way: one message and one ORM row an image, written as the tutorials do.

    celery -A bench.stock_queue worker     # with STOCK_BROKER and STOCK_DATABASE

``enqueue`` adds a row and calls ``apply_async`` for each image; the task loads its row, sets its
state, adds a row for each instance and commits.
"""

from __future__ import annotations

import os

from celery import Celery
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

app = Celery("stock", broker=os.environ["STOCK_BROKER"])
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
app.conf.task_ignore_result = True
engine = create_engine(os.environ["STOCK_DATABASE"])
sessions = sessionmaker(engine)


class Base(DeclarativeBase):
    """The tables of the stock way."""


class Image(Base):
    """One image."""

    __tablename__ = "stock_images"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")


class Instance(Base):
    """One mask of an image."""

    __tablename__ = "stock_instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("stock_images.id"), index=True)
    prompt: Mapped[int]
    x: Mapped[float]
    y: Mapped[float]
    w: Mapped[float]
    h: Mapped[float]
    score: Mapped[float]


@app.task
def annotate(image_id: int, instances: int) -> None:
    """What a worker does without the model."""
    with sessions() as session:
        image = session.get_one(Image, image_id)
        image.state = "done"
        for _ in range(instances):
            session.add(Instance(image_id=image.id, prompt=0, x=10, y=20, w=100, h=200, score=0.9))
        session.commit()


def enqueue(session: Session, name: str, instances: int) -> None:
    """One image."""
    image = Image(name=name)
    session.add(image)
    session.commit()
    annotate.apply_async((image.id, instances))
