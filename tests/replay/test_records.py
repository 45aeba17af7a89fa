"""A run's folder: what it keeps, and how a run that was killed goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import DataError
from bridge.replay.answers import Answer, ShownHit
from bridge.replay.records import (
    SEARCHES,
    BrokenPlace,
    Numbers,
    Record,
    Run,
    RunFolder,
    read_broken,
    read_records,
    read_run,
)

RUN = Run(("log",), ("direct", "bridged"), {"limit": "10"}, "2026-01-02T03:04:05")


def record(number: int) -> Record:
    answer = Answer(200, 1.0, 1.0, fate="applied", hits=(ShownHit("i", "a", 1.5, "A"),))
    return Record(number, f"log:{number}", f"key{number}", "/i/_search", (answer, answer), query_text="w")


def write(folder: Path, *entries: Record | BrokenPlace, resume: bool = False) -> None:
    with RunFolder(folder, RUN, resume=resume) as opened:
        for entry in entries:
            opened.add(entry)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Records, broken places and the run itself come back as they were."""
    write(tmp_path / "run", record(0), BrokenPlace(1, "log:2", "no JSON"), record(2))
    assert read_run(tmp_path / "run") == RUN
    assert list(read_records(tmp_path / "run")) == [record(0), record(2)]
    assert list(read_broken(tmp_path / "run")) == [BrokenPlace(1, "log:2", "no JSON")]


@pytest.mark.parametrize("cut", [1, 10, 10_000])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, cut: int) -> None:
    """A line that was not finished is dropped, and its search is to be sent again."""
    write(tmp_path / "run", record(0), BrokenPlace(1, "log:2", "no JSON"), record(2))
    file = tmp_path / "run" / SEARCHES
    content = file.read_bytes()
    file.write_bytes(content[: max(len(content) - cut, 0)])
    with RunFolder(tmp_path / "run", RUN, resume=True) as opened:
        assert [number for number in range(20) if number in opened.done] == ([1] if cut == 10_000 else [0, 1])
        opened.add(record(2))
    assert [kept.number for kept in read_records(tmp_path / "run")][-1] == 2


@given(st.sets(st.integers(0, 500)))
def test_numbers_are_a_set(given_numbers: set[int]) -> None:
    """What was taken in is there, and nothing else."""
    numbers = Numbers()
    for number in given_numbers:
        numbers.add(number)
    assert {number for number in range(600) if number in numbers} == given_numbers


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    """Another run does not write into it, and neither does the same one by accident."""
    write(tmp_path / "run", record(0))
    with pytest.raises(DataError, match="holds a run already"):
        RunFolder(tmp_path / "run", RUN, resume=False)
    other = Run(("log",), ("direct", "bridged"), {"limit": "11"}, RUN.started)
    with pytest.raises(DataError, match="other searches or systems"):
        RunFolder(tmp_path / "run", other, resume=True)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    """A folder without a run, and a line that is none, are named."""
    with pytest.raises(DataError, match="is no replay"):
        read_run(tmp_path)
    write(tmp_path / "run", record(0))
    with (tmp_path / "run" / SEARCHES).open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(DataError, match=r"searches\.ndjson:2"):
        list(read_records(tmp_path / "run"))
