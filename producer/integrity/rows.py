"""What the rows of one batch say of each other: sequence, counters, names, states and claims.

Everything is read in one snapshot, so that it shows one moment of a pool at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from uuid import UUID

from sqlalchemy.orm import Session

from db import integrity, jobs
from db.jobs import chunk_seqs
from db.models import BatchRow, ChunkRow, JobRow
from maskpool.domain import BatchState, ChunkState, JobState
from maskpool.text import counted
from producer.integrity.counts import check_counts
from producer.integrity.findings import Finding, Kind, Tally

#: Suspicious rows read at once, and seqs in one question.
_PAGE = 2_000

#: A dispatcher reaps within a second; a lease that lapsed so long ago meets none.
LAPSED_MS = 5 * 60 * 1000


def check_rows(session: Session, batch: BatchRow, tally: Tally) -> Iterator[Finding]:
    """Check every row of a batch; the session is one snapshot."""
    now = integrity.now(session)  # first: the counts of a large batch take a while
    counts = integrity.counts(session, batch.id)
    chunks = integrity.chunks(session, batch.id)
    tally.jobs += sum(counts.values())
    yield from chain(
        _check_sequence(session, batch),
        _check_counters(batch, chunks, counts),
        _check_names(session, batch),
        _check_jobs(session, batch),
        _check_chunks(batch, chunks, now),
        _check_claims(session, batch, chunks),
        _check_strays(session, batch),
        check_counts(session, batch),
    )


def _check_sequence(session: Session, batch: BatchRow) -> Iterator[Finding]:
    """Exactly 0 … loaded - 1."""

    def missing(first: int, end: int) -> Finding:
        subject = f"job {first}" if end == first + 1 else f"jobs {first} to {end - 1}"
        return Finding(Kind.JOB, batch.id, subject, f"submitted, but there is no row of {subject}")

    ask = _pager(
        lambda after: integrity.broken_sequence(session, batch.id, after=after, limit=_PAGE)
    )
    for seq, before in ask:
        if seq == before:
            yield Finding(Kind.JOB, batch.id, f"job {seq}", "there are two rows of this job")
        else:
            yield missing(before + 1, seq)
    end = integrity.last_seq(session, batch.id) + 1
    if end < batch.loaded:
        yield missing(end, batch.loaded)
    elif end > batch.loaded:
        yield Finding(
            Kind.JOB,
            batch.id,
            f"job {end - 1}",
            f"there is a row of job {end - 1}, but only {batch.loaded:,} were submitted",
        )


def _check_counters(
    batch: BatchRow, chunks: Sequence[ChunkRow], counts: dict[int, int]
) -> Iterator[Finding]:
    """What is folded plus what is closed and not folded yet is what a recount gives."""
    ended = {name: counts.get(state, 0) for name, state in _COUNTED.items()}
    unfolded = {name: sum(getattr(chunk, name) for chunk in chunks) for name in _COUNTED}
    for name, recount in ended.items():
        if getattr(batch, name) + unfolded[name] != recount:
            yield Finding(
                Kind.COUNTER,
                batch.id,
                name,
                f"the batch counts {getattr(batch, name):,} and its closed chunks "
                f"{unfolded[name]:,}, but {counted(recount, 'job is', 'jobs are')} {name}",
            )
    if batch.state != BatchState.LOADING and batch.total != batch.loaded:
        loaded = counted(batch.loaded, "image was", "images were")
        sentence = f"the total is {batch.total:,}, but {loaded} loaded"
        yield Finding(Kind.COUNTER, batch.id, "total", sentence)
    if batch.state == BatchState.DONE and batch.done + batch.failed != batch.total:
        sentence = f"done, but {batch.done:,} + {batch.failed:,} of {batch.total:,} are counted"
        yield Finding(Kind.COUNTER, batch.id, "total", sentence)


_COUNTED = {"done": JobState.DONE, "failed": JobState.FAILED}


def _check_names(session: Session, batch: BatchRow) -> Iterator[Finding]:
    # Names are compared when loading ends: not yet while it loads, never if it was cancelled then.
    # A scratch batch may be asked about one image again and again.
    if batch.state in (*BatchState.live(), BatchState.DONE) and not batch.scratch:
        for name in jobs.duplicate_names(session, batch.id, limit=_PAGE):
            yield Finding(Kind.NAME, batch.id, name, "several jobs bear this name")


def _check_jobs(session: Session, batch: BatchRow) -> Iterator[Finding]:
    state = BatchState(batch.state)
    after = -1
    while found := integrity.broken_jobs(session, batch.id, state, after=after, limit=_PAGE):
        for job, broken in found:
            for kind in map(Kind, broken):
                yield Finding(kind, batch.id, f"job {job.seq}", _sentence(kind, job, state))
        after = found[-1][0].seq


def _sentence(kind: Kind, job: JobRow, batch_state: BatchState) -> str:
    state = JobState(job.state).label if job.state in list(JobState) else f"in state {job.state}"
    match kind:
        case Kind.STATE:
            return f"it is {state} in a batch that is {batch_state.label}"
        case Kind.ATTEMPTS:
            return f"{counted(job.attempts, 'attempt is', 'attempts are')} beyond the cap"
        case Kind.LOSSES:
            return f"{counted(job.losses, 'lost worker is', 'lost workers are')} beyond the cap"
        case Kind.NEXT_AT:
            return f"it is {state} and {'has no' if job.next_at is None else 'has a'} time to retry"
        case Kind.ERROR:
            return f"it is {state} and its error is {job.error!r}"
    return f"it is {state}, and its row does not hold just the result of that"


def _check_chunks(batch: BatchRow, chunks: Sequence[ChunkRow], now: int) -> Iterator[Finding]:
    for chunk in chunks:
        running = chunk.state == ChunkState.RUNNING
        subject = f"chunk {chunk.id}"
        if running != (chunk.lease_until is not None) or (running and chunk.worker is None):
            has = "no lease or no worker" if running else "a lease"
            sentence = f"it is {_chunk_state(chunk)} and has {has}"
            yield Finding(Kind.LEASE, batch.id, subject, sentence)
        elif running and now - (chunk.lease_until or now) > LAPSED_MS:
            minutes = (now - (chunk.lease_until or now)) // 60_000
            sentence = f"its lease lapsed {counted(minutes, 'minute')} ago; does a dispatcher run?"
            yield Finding(Kind.LAPSED, batch.id, subject, sentence)
        if chunk.state in ChunkState.open() and batch.state not in BatchState.live():
            label = BatchState(batch.state).label
            sentence = f"it is {_chunk_state(chunk)} in a batch that is {label}"
            yield Finding(Kind.CHUNK, batch.id, subject, sentence)
        if len(chunk_seqs(chunk.lo, chunk.hi, chunk.seqs)) != chunk.size:
            sentence = f"its size is said to be {chunk.size}, but it names another number of jobs"
            yield Finding(Kind.CHUNK, batch.id, subject, sentence)


def _chunk_state(chunk: ChunkRow) -> str:
    known = chunk.state in list(ChunkState)
    return ChunkState(chunk.state).name.lower() if known else f"in state {chunk.state}"


def _check_claims(
    session: Session, batch: BatchRow, chunks: Sequence[ChunkRow]
) -> Iterator[Finding]:
    """A claimed job that waits is in exactly one live chunk, and a live chunk's jobs all wait."""
    live = [chunk for chunk in chunks if chunk.state in ChunkState.open()]
    holders: dict[int, UUID] = {}
    for chunk in live:
        for seq in chunk_seqs(chunk.lo, chunk.hi, chunk.seqs):
            if seq in holders:
                sentence = f"it is in the live chunks {holders[seq]} and {chunk.id}"
                yield Finding(Kind.CLAIMED_TWICE, batch.id, f"job {seq}", sentence)
            holders[seq] = chunk.id
    yield from _check_held(session, batch, holders)
    if batch.state in BatchState.live():
        yield from _check_waiting(session, batch, holders)


def _check_held(session: Session, batch: BatchRow, holders: dict[int, UUID]) -> Iterator[Finding]:
    ordered = iter(sorted(holders))
    while page := list(islice(ordered, _PAGE)):
        states = integrity.states_of(session, batch.id, page)
        for seq in page:
            if states.get(seq) != JobState.WAITING or seq >= batch.next_seq:
                sentence = f"it holds job {seq}, which is not there, not waiting or never claimed"
                yield Finding(Kind.CHUNK, batch.id, f"chunk {holders[seq]}", sentence)


def _check_waiting(
    session: Session, batch: BatchRow, holders: dict[int, UUID]
) -> Iterator[Finding]:
    after = -1
    while waiting := integrity.claimed_waiting(
        session, batch.id, batch.next_seq, after=after, limit=_PAGE
    ):
        for seq in waiting:
            if seq not in holders:
                sentence = "it was claimed and waits, but no live chunk holds it; it is lost"
                yield Finding(Kind.UNCLAIMED, batch.id, f"job {seq}", sentence)
        after = waiting[-1]


def _check_strays(session: Session, batch: BatchRow) -> Iterator[Finding]:
    ask = _pager(
        lambda after: integrity.stray_instances(session, batch.id, after=after, limit=_PAGE)
    )
    for seq, count in ask:
        rows = counted(count, "row of instances belongs", "rows of instances belong")
        sentence = f"it is not done, but {rows} to it"
        yield Finding(Kind.INSTANCES, batch.id, f"job {seq}", sentence)


def _pager(ask: Callable[[int], list[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """Pages of pairs that begin with a ``seq``, one after the other."""
    after = -1
    while page := ask(after):
        yield from page
        after = page[-1][0]
