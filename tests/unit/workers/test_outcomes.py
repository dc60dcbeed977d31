"""How a job's row ends or comes back."""

from __future__ import annotations

from db.chunks import Failed, Returned
from maskpool.domain import MAX_ATTEMPTS, Job, JobFailure
from workers.outcomes import Outage, Unable, end_of

JOB = Job(seq=3, name="a.jpg", uri="file:///a.jpg", attempts=1)


def test_a_job_that_was_not_begun_goes_back_uncharged() -> None:
    end = end_of(JOB, None)
    assert end == Returned(3, 1, 0, None)


def test_bad_input_fails_at_once_and_is_not_charged() -> None:
    end = end_of(JOB, JobFailure(3, "not an image"))
    assert end == Failed(3, "not an image", 1)


def test_trouble_that_may_pass_rests_longer_each_time() -> None:
    rests = []
    for attempts in range(MAX_ATTEMPTS - 1):
        job = Job(3, "a.jpg", "file:///a.jpg", attempts)
        end = end_of(job, JobFailure(3, "S3 is away", transient=True))
        assert isinstance(end, Returned)
        assert end.attempts == attempts + 1
        rests.append(end.delay_ms)
    for number, rest in enumerate(rests):
        assert 1000 * 5**number <= rest <= 3000 * 5**number, "2 s × 5^n, give or take a half"


def test_whatever_holds_the_images_may_be_away_for_two_minutes() -> None:
    shortest = sum(1000 * 5**number for number in range(MAX_ATTEMPTS - 1))
    assert shortest > 120_000


def test_what_breaks_off_each_time_is_over_within_a_minute() -> None:
    longest, attempts = 0, 0
    while True:
        failure = JobFailure(3, "it broke off", transient=True, broken_off=True)
        end = end_of(Job(3, "a.jpg", "https://x.org/a.jpg", attempts), failure)
        if isinstance(end, Failed):
            break
        assert isinstance(end, Returned)
        longest, attempts = longest + end.delay_ms, end.attempts
    assert 16_000 <= longest <= 48_000
    assert end.attempts == 4
    assert end.error == "gave up after 4 attempts; the last one: it broke off"


def test_a_host_that_comes_back_and_breaks_off_then_has_had_its_attempts() -> None:
    job = Job(3, "a.jpg", "https://x.org/a.jpg", MAX_ATTEMPTS - 1)
    end = end_of(job, JobFailure(3, "it broke off", transient=True, broken_off=True))
    assert isinstance(end, Failed)
    assert end.attempts == MAX_ATTEMPTS


def test_an_outage_of_the_store_is_nobodys_fault() -> None:
    for attempts in (0, MAX_ATTEMPTS - 1):
        end = end_of(Job(3, "a.jpg", "file:///a.jpg", attempts), Outage("S3 is away"))
        assert isinstance(end, Returned)
        assert (end.attempts, end.error) == (attempts, "S3 is away")
        assert 15_000 <= end.delay_ms <= 45_000


def test_what_another_worker_must_do_is_nobodys_fault() -> None:
    for attempts in (0, MAX_ATTEMPTS - 1):
        end = end_of(Job(3, "a.jpg", "file:///a.jpg", attempts), Unable("it has no tracker"))
        assert isinstance(end, Returned)
        assert (end.attempts, end.error) == (attempts, "it has no tracker")
        assert 15_000 <= end.delay_ms <= 45_000


def test_the_last_attempt_fails_with_what_went_wrong() -> None:
    job = Job(3, "a.jpg", "file:///a.jpg", MAX_ATTEMPTS - 1)
    end = end_of(job, JobFailure(3, "S3 is away", transient=True))
    assert isinstance(end, Failed)
    assert "gave up after 5 attempts" in end.error
    assert "S3 is away" in end.error


def test_an_error_is_kept_at_a_length_that_people_read() -> None:
    end = end_of(JOB, JobFailure(3, "x" * 10_000))
    assert end == Failed(3, "x" * 4_000, 1)
