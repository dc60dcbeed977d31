"""The shared language of maskpool: words, rules and ports, with no service behind them.

Nothing in this package imports torch, boto3, SQLAlchemy, Celery or a web framework, so that every
other room may import it and start quickly.
"""

__version__ = "0.1.0"
