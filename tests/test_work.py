"""The trace: what a stage did is kept in few bytes and comes back whole."""

import pytest

from voxrelay.relay import work
from voxrelay.relay.work import Times, Work


def done(stage: str = "content", index: int = 7, process: int = 12, began: float = 1_795_571_265.3389) -> Work:
    times = Times(
        queued=began, taken=began + 1, fetched=began + 1.25, started=began + 2, ended=began + 3.5, filed=began
    )
    return Work(
        stage=stage,  # type: ignore[arg-type]
        model="mfcc",
        pool=stage,
        environment="content",
        host="a-host",
        process=process,
        part="window",
        index=index,
        bytes_in=141_042,
        bytes_out=225_792,
        cached=False,
        times=times,
    )


def trace(*works: Work) -> dict[bytes, bytes]:
    """Keep works as the scripts do: a line of the unit each, and who did them."""
    fields: dict[str, list[str]] = {}
    for each in works:
        name, facts, line = each.pack()
        fields[name] = [facts]
        fields.setdefault(f"{each.part}:{each.index}", []).append(line)
    return {name.encode(): "\n".join(lines).encode() for name, lines in fields.items()}


def test_works_come_back_as_they_were() -> None:
    works = [done("content"), done("mel", process=13), done("content", index=8), done("content", process=14, index=9)]
    kept = trace(*works)
    assert work.unpack(kept) == works
    assert len(kept) == 3 + 3  # units, and workers: content 12 did two of them


def test_what_was_done_again_counts_once() -> None:
    first, again = done(), done(process=99, began=1_795_571_300.0)
    assert work.unpack(trace(first, again)) == [again]


def test_when_a_stage_filed_is_read_without_the_rest() -> None:
    first, last = done("content"), done("mel", began=1_795_571_300.5)
    line = trace(first, last)[b"window:7"].splitlines()[-1]
    assert work.when_filed(line) == pytest.approx(last.times.filed, abs=1e-4)
