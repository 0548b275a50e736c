"""What is broken on purpose, in short: `make faults` does the same at full size."""

from pathlib import Path

from faults import kills


def test_windows_of_killed_workers_are_done_again(tmp_path: Path) -> None:
    done = kills.run(tmp_path, 0, jobs=4, windows=3, kills=5, pause=0.2)
    assert sum(done.killer.hits.values()) == 5
    assert (done.disturbed.lost, done.disturbed.doubled) == (0, 0)
    assert done.disturbed.outputs == done.quiet.outputs
