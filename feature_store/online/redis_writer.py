"""Writing rows to Redis so that a newer value is never replaced by an older one.

The server itself compares the stored event timestamp with the new one, in a script, so it holds
when several writers meet. Feast compares in the client, between two round trips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import redis
from feast.repo_config import RepoConfig

from headrace.feature_store.online.encode import timestamps
from headrace.feature_store.online.redis_cluster import exchange
from headrace.feature_store.online.redis_store import Reaching, connect, fields
from headrace.feature_store.online.rows import Rows

#: Seconds an answer may take: the server also serves readers, and may be saving.
WRITE_TIMEOUT = 10.0
#: Rows per call of the script; others wait while it runs, so it must be short.
_CALL = 100

#: KEYS: one per row. ARGV: seconds until a key expires (0: never), arguments per row, then for each
#: row field, value, field, value … with the event timestamp first. Answers how many rows it wrote.
_SCRIPT = b"""
local function number(text, at)
  local bytes, sum, inverse, scale = 0, 0, 0, 1
  while true do
    local byte = string.byte(text, at)
    at, bytes = at + 1, bytes + 1
    local low = byte % 128
    if bytes < 10 then
      sum, inverse, scale = sum + low * scale, inverse + (127 - low) * scale, scale * 128
    end
    if byte < 128 then break end
  end
  -- Ten bytes are a negative number; doubles hold it exactly only as its complement.
  if bytes == 10 then return -inverse - 1, at end
  return sum, at
end
local function moment(text)
  local seconds, nanos, at, field = 0, 0, 1, nil
  while at <= #text do
    field = string.byte(text, at)
    if field == 8 then seconds, at = number(text, at + 1)
    else nanos, at = number(text, at + 1) end
  end
  return seconds, nanos
end
local expire, width, written = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for row, key in ipairs(KEYS) do
  local first = 3 + (row - 1) * width
  local last = first + width - 1
  local old, new = redis.call('HGET', key, ARGV[first]), ARGV[first + 1]
  local newer = not old or old == new
  if not newer then
    local old_seconds, old_nanos = moment(old)
    local seconds, nanos = moment(new)
    newer = seconds > old_seconds or (seconds == old_seconds and nanos >= old_nanos)
  end
  if newer then
    for start = first, last, 4000 do
      redis.call('HSET', key, unpack(ARGV, start, math.min(start + 3999, last)))
    end
    if expire > 0 then redis.call('EXPIRE', key, expire) end
    written = written + 1
  end
end
return written
"""

#: Redis names scripts by this digest; it protects nothing.
_DIGEST = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest()


#: One client per server and kind: streams write small batches, which making one takes longer than.
_CLIENTS: dict[tuple[str, ...], Any] = {}


def _client(config: RepoConfig) -> Any:
    online = config.online_store
    place = (online.connection_string, str(online.redis_type), online.sentinel_master)
    if place not in _CLIENTS:
        _CLIENTS[place] = connect(config, timeout=WRITE_TIMEOUT)
    return _CLIENTS[place]


class RedisWriter:
    """Writes rows of one view."""

    def __init__(self, config: RepoConfig, view: str, features: Sequence[str]) -> None:
        """Prepares writing; connects when there is something to write (to a cluster: now)."""
        self._config = config
        self._client = _client(config)
        self._cluster = isinstance(self._client, redis.RedisCluster)
        self._features = features
        *named, time = fields(view, features)
        self._fields = [time, *named]
        self._expire = config.online_store.key_ttl_seconds or 0

    @staticmethod
    def tail(config: RepoConfig) -> bytes:
        """What follows each key."""
        return config.project.encode()

    def write(self, rows: Rows) -> int:
        """Writes what is not older than what is stored; answers how many rows that were.

        Raises:
            OnlineStoreError: The store cannot be reached, is too slow or refuses. Some rows may
                have been written; writing all of them again does no harm.
        """
        calls = self._calls(rows)
        with Reaching(self._config):
            try:
                answers = self._send(calls)
            except redis.exceptions.NoScriptError:  # a server that was not asked yet, or restarted
                self._client.script_load(_SCRIPT)
                answers = self._send(calls)
        return sum(answers)

    def close(self) -> None:
        """Does nothing: the next writer uses the same connections."""

    def _send(self, calls: Sequence[Sequence[Any]]) -> list[int]:
        commands = [("EVALSHA", _DIGEST, *call) for call in calls]
        if self._cluster:
            return exchange(self._client, [key for _, key, *_ in calls], commands)
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(pipeline.execute())

    def _calls(self, rows: Rows) -> list[list[Any]]:
        """The script's arguments for each group of rows."""
        width, count = 2 * len(self._fields), len(rows.keys)
        flat: list[Any] = [None] * (width * count)
        columns = [timestamps(rows.times), *(rows.values[name] for name in self._features)]
        for place, (field, column) in enumerate(zip(self._fields, columns, strict=True)):
            flat[2 * place :: width] = [field] * count
            flat[2 * place + 1 :: width] = column
        # All keys of a call must be on the same node, which only single keys surely are.
        size = 1 if self._cluster else _CALL
        calls: list[list[Any]] = []
        for start in range(0, count, size):
            keys = rows.keys[start : start + size]
            arguments = flat[start * width : (start + size) * width]
            calls.append([len(keys), *keys, self._expire, width, *arguments])
        return calls
