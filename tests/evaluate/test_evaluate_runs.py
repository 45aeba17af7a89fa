from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import DataError
from bridge.evaluate.runs import lines, write_run


def test_scores_fall_with_every_rank() -> None:
    """Each rank has a score of its own, which falls, so that nobody breaks ties."""
    assert [(line.doc_id, line.score) for line in lines({"q1": ("b", "a", "c")})] == [
        ("b", 3.0),
        ("a", 2.0),
        ("c", 1.0),
    ]


def test_run_file_is_as_trec_has_it(tmp_path: Path) -> None:
    """Six columns, ranks from 1, and queries without hits are not there."""
    file = tmp_path / "run.txt"
    write_run(file, {"q1": ("b", "a"), "q2": (), "q3": ("c",)}, "direct")
    assert file.read_text() == "q1 Q0 b 1 2 direct\nq1 Q0 a 2 1 direct\nq3 Q0 c 1 1 direct\n"


@pytest.mark.parametrize("run", [{"q 1": ("a",)}, {"q1": ("a\tb",)}, {"q1": ("",)}])
def test_id_that_would_break_a_column_is_refused(tmp_path: Path, run: dict[str, tuple[str, ...]]) -> None:
    """An id with white space, or an empty one, can't stand in a run file."""
    with pytest.raises(DataError, match="white space"):
        write_run(tmp_path / "run.txt", run, "direct")


def test_unwritable_file_is_a_data_error(tmp_path: Path) -> None:
    """A place where no file can be made is a data error."""
    with pytest.raises(DataError, match="can't be written"):
        write_run(tmp_path / "nowhere" / "run.txt", {}, "direct")
