from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from fakeredis import TcpFakeServer

from app import rate_limit
from app.rate_limit import Rate, RateLimiter, RedisRateLimiter
from model.errors import ConfigError

#: Two tokens a second, five at once.
RATE = Rate(per_minute=120, burst=5)

#: Client, units, and the seconds that it is told to wait, one after the other.
Takes = list[tuple[str, float, float]]
BURST: Takes = [*[("a", 1, 0.0)] * 5, ("a", 1, 0.5), ("a", 3, 1.5), ("b", 1, 0.0)]
#: What costs more than a bucket holds needs a full one, and leaves a debt.
DEBT: Takes = [("a", 15, 0.0), ("a", 1, 5.5), ("a", 15, 7.5)]


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A server that speaks Redis' protocol and runs its scripts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = TcpFakeServer(("127.0.0.1", port), server_type="redis")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()
    server.server_close()
    thread.join()


def run(limiter: Callable[[], RateLimiter], work: Callable[[RateLimiter], Awaitable[None]]) -> None:
    """Runs `work` with a limiter of its event loop."""

    async def begin() -> None:
        found = limiter()
        await work(found)
        await found.close()

    asyncio.run(begin())


def waits(limiter: Callable[[], RateLimiter], takes: Takes) -> list[float]:
    """The seconds that a client is told to wait for each of `takes`."""
    found = []

    async def work(limiter: RateLimiter) -> None:
        found.extend([await limiter.take(client, units) for client, units, _ in takes])

    run(limiter, work)
    return found


@pytest.mark.parametrize("takes", [BURST, DEBT], ids=["burst", "debt"])
def test_a_bucket_in_memory_lets_in_what_it_holds(takes: Takes) -> None:
    found = waits(lambda: RateLimiter(RATE, Clock()), takes)
    assert found == pytest.approx([seconds for *_, seconds in takes])


@pytest.mark.parametrize("takes", [BURST, DEBT], ids=["burst", "debt"])
def test_a_bucket_in_redis_lets_in_what_it_holds(
    redis_url: str, takes: Takes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "REDIS_TIMEOUT_SECONDS", 60.0)
    found = waits(lambda: RedisRateLimiter(RATE, redis_url), takes)
    assert found == pytest.approx([seconds for *_, seconds in takes], abs=0.1)


def test_a_bucket_fills_again() -> None:
    clock = Clock()

    async def work(limiter: RateLimiter) -> None:
        assert await limiter.take("a", 5) == 0.0
        clock.now += 1.0
        assert await limiter.take("a", 2) == 0.0
        assert await limiter.take("a", 1) == pytest.approx(0.5)
        clock.now += 3600.0
        assert await limiter.take("a", 5) == 0.0
        assert await limiter.take("a", 1) == pytest.approx(0.5)

    run(lambda: RateLimiter(RATE, clock), work)


def test_no_more_buckets_are_kept_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 2)
    limiter = RateLimiter(RATE, Clock())

    async def work(_: RateLimiter) -> None:
        for client in ("a", "b", "c"):
            await limiter.take(client, 5)
        assert list(limiter._buckets) == ["b", "c"]
        assert await limiter.take("b", 1) > 0

    run(lambda: limiter, work)


def test_two_servers_share_a_bucket_in_redis(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "REDIS_TIMEOUT_SECONDS", 60.0)

    async def work(limiter: RateLimiter) -> None:
        assert await limiter.take("a", 5) == 0.0
        other = RedisRateLimiter(RATE, redis_url)
        assert await other.take("a", 5) > 0
        await other.close()

    run(lambda: RedisRateLimiter(RATE, redis_url), work)


def test_without_redis_limits_are_kept_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        found = waits(lambda: RedisRateLimiter(RATE, url), BURST)
    assert found == pytest.approx([seconds for *_, seconds in BURST], abs=0.1)
    (record,) = caplog.records  # one line for many requests
    assert "Redis does not answer" in record.getMessage()


@pytest.mark.parametrize("url", ["cache:6379", "http://cache:6379", "redis://cache:one/0"])
def test_a_url_that_is_not_redis_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"SEQ2SEQ_REDIS_URL: .* Write it as redis://HOST:6379/0"):
        RedisRateLimiter(RATE, url)
