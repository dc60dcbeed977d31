"""A server that goes silent: who is told to be patient for so long waits no longer."""

from __future__ import annotations

import os
import socket
import time
from urllib.parse import urlsplit

import pytest
from services.tcp_proxy import Mode, TcpProxy, tcp_proxy
from sqlalchemy import text

from db.session import Database
from maskpool.errors import Unreachable

PATIENCE_SECONDS = 0.5


def test_a_statement_into_a_black_hole_ends(postgres_url: str) -> None:
    port = urlsplit(postgres_url).port
    with tcp_proxy(port) as proxy:
        url = postgres_url.replace(f":{port}/", f":{proxy.port}/")
        database = Database(url, patience_seconds=PATIENCE_SECONDS)
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer within"):
            _ask_while_it_goes_silent(database, proxy)
        assert time.monotonic() - began < 20
        proxy.set(Mode.OPEN)
        with database.read() as session:
            assert session.scalar(text("SELECT 3")) == 3
        database.close()


def _ask_while_it_goes_silent(database: Database, proxy: TcpProxy) -> None:
    with database.write() as session:
        session.execute(text("SELECT 1"))
        proxy.set(Mode.BLACK_HOLE)
        session.execute(text("SELECT 2"))


def test_a_statement_may_take_long_where_nobody_waits_for_it(postgres_url: str) -> None:
    for patience, slow in ((None, 3 * PATIENCE_SECONDS), (30.0, 3 * PATIENCE_SECONDS)):
        database = Database(postgres_url, patience_seconds=patience)
        with database.read() as session:
            session.execute(text("SELECT pg_sleep(:slow)"), {"slow": slow})
        database.close()


def test_both_ends_are_told_to_notice_a_dead_connection(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as session:
        wire = session.connection().connection.driver_connection
        with socket.socket(fileno=os.dup(wire.fileno())) as ours:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
        assert session.scalar(text("SHOW tcp_keepalives_idle")) == "10"
        assert session.scalar(text("SHOW tcp_user_timeout")) == "25000"
    database.close()
