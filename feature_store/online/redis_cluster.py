"""Many commands to the nodes of a Redis cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from redis import exceptions

#: The keys are elsewhere, or soon will be.
_REDIRECTS = (
    exceptions.AskError,
    exceptions.MovedError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
)
#: A node does not answer, or none is known to have a key.
_LOST = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.SlotNotCoveredError)


def exchange(client: Any, keys: Sequence[bytes], commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Sends each node all of its commands at once; returns the replies in the commands' order.

    When a node does not answer, all are asked once more, perhaps of the one that took over. The
    pipeline of redis-py would ask again for one key after the other, and wait each time.

    Args:
        client: A ``redis.RedisCluster``.
        keys: The key of each command.
        commands: What to send; sending it twice must do no harm.

    Raises:
        redis.RedisError: nodes cannot be reached, are too slow or refuse a command.
    """
    try:
        replies = _asked(client, keys, commands)
    except _LOST:
        client.nodes_manager.initialize()
        replies = _asked(client, keys, commands)
    for place, reply in enumerate(replies):
        if isinstance(reply, _REDIRECTS):
            replies[place] = client.execute_command(*commands[place])
        elif isinstance(reply, Exception):
            raise reply
    return replies


def _asked(client: Any, keys: Sequence[bytes], commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The replies of the nodes that should have the keys; errors among them are not raised."""
    places = defaultdict(list)
    for place, key in enumerate(keys):
        places[client.get_node_from_key(key)].append(place)
    replies: list[Any] = [None] * len(commands)
    for node, asked in places.items():
        pipeline = client.get_redis_connection(node).pipeline(transaction=False)
        for place in asked:
            pipeline.execute_command(*commands[place])
        answers = pipeline.execute(raise_on_error=False)
        for place, answer in zip(asked, answers, strict=True):
            replies[place] = answer
    return replies
