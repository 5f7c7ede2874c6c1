from __future__ import annotations

from model.engine.sizes import round_up, sizes_up_to


def test_sizes_are_few() -> None:
    assert sizes_up_to(48) == [16, 48]
    assert sizes_up_to(1024) == [16, 64, 256, 1024]
    assert [round_up(count, 100) for count in (1, 17, 65, 100, 101)] == [16, 64, 100, 100, 256]
