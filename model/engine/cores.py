"""The number of cores that the system, the affinity mask and the container's quota allow."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Returns the number of cores available to this process, >= 1: those that it may run on, or
    fewer if a Linux control group (version 1 or 2) limits its time. `root` contains `proc` and
    `sys`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min([cores or 1, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yields the number of cores allowed by each control group of this process that has a limit."""
    groups = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        own = Path(path.lstrip("/"))
        if not controllers:  # version 2
            for group in (own, *own.parents):
                yield from _share(*_read(groups / group / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for group in (own, *own.parents):
                yield from _share(
                    _read(groups / "cpu" / group / "cpu.cfs_quota_us"),
                    _read(groups / "cpu" / group / "cpu.cfs_period_us"),
                )


def _share(quota: str = "", period: str = "") -> Iterator[float]:
    """Yields `quota` / `period` if both are numbers; `max` and -1 mean no limit."""
    if quota.strip().isdigit() and period.strip().isdigit():
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # no such limit, or no such system
        return ""
