"""Rate limits per client: token buckets, in memory or in Redis. Knows no HTTP.

A bucket holds up to `burst` tokens and is refilled with `per_minute` tokens per minute. A request
takes as many tokens as it costs. A request that costs more than the bucket holds needs a full
bucket and leaves it in debt.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from model.errors import ConfigError

logger = logging.getLogger(__name__)

#: Maximum number of buckets; the least recently used ones are dropped.
MAX_BUCKETS = 100_000

#: Timeout of Redis, and the time until it is tried again after a failure.
REDIS_TIMEOUT_SECONDS, REDIS_PAUSE_SECONDS = 0.25, 5.0

#: Takes `cost` from a bucket, by the clock of Redis. Returns the seconds to wait.
_TAKE = """
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = burst
if bucket[1] then
  level = math.min(burst, tonumber(bucket[1]) + rate * math.max(0, now - tonumber(bucket[2])))
end
local missing = math.min(cost, burst) - level
if missing > 0 then return tostring(missing / rate) end
redis.call('HSET', KEYS[1], 'level', tostring(level - cost), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil((burst + cost) / rate) + 1)
return '0'
"""


@dataclass(frozen=True)
class Rate:
    """Size and refill rate of a bucket.

    Attributes:
        per_minute: tokens added per minute.
        burst: capacity in tokens.
    """

    per_minute: float
    burst: float

    @property
    def per_second(self) -> float:
        """Returns the tokens added per second."""
        return self.per_minute / 60


class RateLimiter:
    """The buckets of all clients, in the memory of this process.

    Args:
        rate: rate of every bucket.
        clock: returns the time in seconds.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, client: str, cost: float) -> float:
        """Takes `cost` tokens from a client's bucket and returns 0. If there are too few, takes
        none and returns the seconds until there are enough."""
        now, rate = self._clock(), self._rate
        level, at = self._buckets.pop(client, (rate.burst, now))
        level = min(rate.burst, level + (now - at) * rate.per_second)
        missing = min(cost, rate.burst) - level
        self._buckets[client] = level - (0.0 if missing > 0 else cost), now
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return max(0.0, missing) / rate.per_second

    async def close(self) -> None:
        """Closes its connections, if any."""


class RedisRateLimiter(RateLimiter):
    """Buckets shared by several servers. While Redis does not answer, each server uses its own
    buckets.

    Args:
        rate: rate of every bucket.
        url: `redis://HOST:PORT/DATABASE`.

    Raises:
        ConfigError: if the URL is not a Redis URL.
    """

    def __init__(self, rate: Rate, url: str) -> None:
        from redis.asyncio import Redis

        super().__init__(rate)
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=REDIS_TIMEOUT_SECONDS,
                socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            )
        except ValueError as error:
            raise ConfigError(
                f"SEQ2SEQ_REDIS_URL: {error}. Write it as redis://HOST:6379/0."
            ) from None
        self._script = self._redis.register_script(_TAKE)
        self._retry_at = 0.0

    async def take(self, client: str, cost: float) -> float:
        from redis.exceptions import RedisError

        if time.monotonic() >= self._retry_at:
            try:
                arguments = self._rate.per_second, self._rate.burst, cost
                return float(await self._script([f"seq2seq:rate:{client}"], arguments))
            except (TimeoutError, RedisError, OSError) as error:
                logger.error(
                    "Redis does not answer (%s); this server applies its own limits", error
                )
                self._retry_at = time.monotonic() + REDIS_PAUSE_SECONDS
        return await super().take(client, cost)

    async def close(self) -> None:
        await self._redis.aclose()
