from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import BusyError
from training.files.locks import locked


def test_a_folder_is_locked_for_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        with pytest.raises(BusyError, match="run: another process is using it"):
            with locked(tmp_path / "run"):
                pass
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "run"):
        pass
