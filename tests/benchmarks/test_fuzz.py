"""A few hundred of the cases of `python -m benchmarks.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import run


def test_damaged_files_are_faults_at_worst(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(400, 7, tmp_path / "kept")
    assert done.failures == 0, capsys.readouterr().out
    assert done.cases == 400
    assert done.counts["examples"] > 100
    assert done.counts["faults"] > 100
