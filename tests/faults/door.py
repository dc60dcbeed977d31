"""Two web servers over one world, and clients that ask whichever of them answers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from faults.world import Member, World
from pydantic import SecretStr
from services.process import free_port

from maskpool.settings import Settings
from producer.accounts import tokens, users
from producer.accounts.audit import NOBODY
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool

#: Of each request: longer than both servers are away at once on a busy machine.
PATIENCE_SECONDS = 60.0

#: Between two requests of one client.
_THINKING_SECONDS = 0.01

#: Between two tries of a client.
_PAUSE_SECONDS = 0.05


@dataclass
class Server(Member):
    """A web server and where it listens."""

    url: str = ""

    def answers(self) -> bool:
        """Whether it listens."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 204
        except httpx.TransportError:
            return False


@dataclass
class Door:
    """A world with a door of two wings, and a user with a token."""

    world: World
    servers: list[Server]
    pool: Pool
    token: str
    user_id: int
    #: Deaths at named steps that are still to come, as ``MASKPOOL_FAILPOINTS`` names them.
    planned: list[str] = field(default_factory=list)
    stopping: Event = field(default_factory=Event)
    #: Errors of clients' threads, which are errors of the test.
    broken: list[BaseException] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """One that makes a connection for each request: what it meets is then that server's."""
        return httpx.Client(
            headers={"authorization": f"Bearer {self.token}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=PATIENCE_SECONDS,
        )

    def watch(self) -> None:
        """Start again what died by itself, as whoever runs it does."""
        for server in self.servers:
            if server.process is not None and server.process.poll() is not None:
                self.arm(server)
            server.watch()

    def arm(self, server: Server) -> None:
        """Let it die, once it is started the next time, of what is planned next, if anything is."""
        armed = self.planned.pop(0) if self.planned else ""
        server.environment["MASKPOOL_FAILPOINTS"] = armed

    def until(self, holds: Callable[[], object], what: str, seconds: float = 60) -> float:
        """Wait with both servers kept alive; returns how long it took, in seconds."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            self.watch()
            if holds():
                return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {seconds:.0f} s; {self.last_words()}")

    @property
    def ann(self) -> Caller:
        """The user, as the servers know her."""
        return Caller(self.user_id, "ann", admin=True)

    def forget_deaths(self) -> list[int]:
        """The exit statuses of those that died by themselves, which are told once."""
        statuses = [status for one in self.servers for status in one.own_deaths]
        for one in self.servers:
            one.own_deaths.clear()
        return statuses

    def last_words(self) -> str:
        return "\n".join(
            f"{one.log.name}: {one.log.read_text(errors='replace')[-1500:]}" for one in self.servers
        )

    @contextmanager
    def clients(self, *acts: Callable[[httpx.Client, random.Random], None]) -> Iterator[None]:
        """Threads, each of which does its act again and again until the end of the block."""
        self.stopping.clear()
        threads = [
            Thread(target=self._repeat, args=(act, number), name=f"client-{number}")
            for number, act in enumerate(acts)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS + 10)
        assert self.broken == [], self.broken

    def _repeat(self, act: Callable[[httpx.Client, random.Random], None], number: int) -> None:
        rng = random.Random(number)
        with self.client() as client:
            # Without a pause, a few clients take all the processors that the servers need.
            while not self.stopping.wait(_THINKING_SECONDS):
                try:
                    act(client, rng)
                except BaseException as error:  # noqa: BLE001 - the test fails by it
                    self.broken.append(error)
                    return

    def ask(
        self, client: httpx.Client, rng: random.Random, method: str, path: str, **words: Any
    ) -> tuple[httpx.Response, int]:
        """Ask one of the two, and on a lost connection or "not now" whichever, until one answers.

        Returns:
            The answer, and how many tries got none.
        """
        end, unanswered = time.monotonic() + PATIENCE_SECONDS, 0
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                url = rng.choice(self.servers).url + path
                answer = client.request(method, url, **words)
                if answer.status_code not in (409, 503):
                    return answer, unanswered
            unanswered += 1
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(f"{method} {path}: nobody answered; {self.last_words()}")


@contextmanager
def open_door(world: World, script: str = "web_server.py") -> Iterator[Door]:
    """Two servers that listen; they end with the block."""
    told = {**world.dispatcher.environment, "MASKPOOL_LOG_LEVEL": "WARNING"}
    servers = [_server(script, told, world.folder, number) for number in (1, 2)]
    settings = Settings(
        home=world.folder,
        database_url=SecretStr(world.database_url),
        redis_url=SecretStr(world.redis.url),
        store_url=world.store.url,
    )
    pool = Pool(settings, world.database)
    users.create(pool, NOBODY, "ann", password="a long password", admin=True)
    user = users.find(pool, "ann")
    made = tokens.issue(pool, NOBODY, user.id, "faults", rights=list(Right), days=1)
    door = Door(world, servers, pool, made.text, user.id)
    try:
        for server in servers:
            server.start()
        door.until(lambda: all(one.answers() for one in servers), "the web servers")
        yield door
    finally:
        for server in servers:
            server.end()


def _server(script: str, told: dict[str, str], folder: Path, number: int) -> Server:
    address = f"127.0.0.1:{free_port()}"
    environment = {**told, "MASKPOOL_SERVE_ADDRESS": address}
    log = folder / f"web-{number}.log"
    return Server(script, environment, log, url=f"http://{address}")
