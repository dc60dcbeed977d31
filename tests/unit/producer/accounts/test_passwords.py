"""Passwords: what is refused, how they are kept, and that time tells nothing."""

from __future__ import annotations

import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from maskpool.errors import SpecError, Transient
from producer.accounts import passwords


def test_a_hash_has_the_parameters_of_the_cheat_sheet() -> None:
    found = extract_parameters(passwords.hashed("correct horse battery"))
    assert found.type.name == "ID"
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19 * 1024, 2, 1)


def test_only_the_password_itself_matches() -> None:
    kept = passwords.hashed("correct horse battery")
    assert passwords.matches(kept, "correct horse battery")
    for other in ("", "Correct horse battery", "x" * 1_000_000, "correct horse \udce9"):
        assert not passwords.matches(kept, other)
    assert not passwords.matches("no hash at all", "correct horse battery")


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "correct horse \udce9"])
def test_a_bad_password_is_refused_with_what_to_do(password: str) -> None:
    with pytest.raises(SpecError, match="password: must have 12 to 256 characters; several words"):
        passwords.hashed(password)


def test_generated_ones_are_accepted_and_differ() -> None:
    made = {passwords.generate() for _ in range(100)}
    assert len(made) == 100
    assert passwords.hashed(made.pop())


def test_a_hash_of_other_parameters_is_renewed() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse battery")
    fresh = passwords.renewed(old, "correct horse battery")
    assert fresh is not None
    assert passwords.matches(fresh, "correct horse battery")
    assert passwords.renewed(fresh, "correct horse battery") is None


def test_who_is_not_known_costs_the_same_check(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def verified(password_hash: str, _: str) -> bool:
        checked.append(extract_parameters(password_hash))
        return True

    monkeypatch.setattr(passwords, "_verified", verified)
    kept = passwords.hashed("correct horse battery")
    assert passwords.matches(kept, "anything")
    assert not passwords.matches(None, "anything"), "a dummy that matches lets nobody in"
    known, unknown = checked
    assert known == unknown


def test_two_are_checked_at_once_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, refused = [0], [0], [0]
    lock = threading.Lock()

    def verified(*_: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.1)
        with lock:
            running[0] -= 1
        return True

    def log_in() -> None:
        try:
            passwords.matches("a hash", "a password")
        except Transient:
            with lock:
                refused[0] += 1

    monkeypatch.setattr(passwords, "_verified", verified)
    threads = [threading.Thread(target=log_in) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2
    assert 20 - 2 * 6 <= refused[0] <= 20 - 6
    assert passwords.matches("a hash", "a password"), "places are given back"
