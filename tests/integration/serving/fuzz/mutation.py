"""Broken requests made from good ones, the same ones each time."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence

import psutil

#: How many requests each protocol gets; ``FUZZ_REQUESTS=1000000`` for a thorough look.
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "10000"))


def mutants(seeds: Sequence[bytes], pieces: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Endless: one of ``seeds``, with up to four pieces put in, cut out, repeated or changed."""
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 4)):
            at, length = chance.randrange(len(data) + 1), chance.randint(1, 8)
            kind = chance.randrange(5)
            if kind == 0:
                data[at:at] = chance.choice(pieces)
            elif kind == 1:
                del data[at : at + length]
            elif kind == 2:
                data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
            elif kind == 3:
                data[at : at + 1] = bytes([chance.randrange(256)])
            else:
                data = data[:at] or data
        yield bytes(data)


def memory() -> int:
    """Resident bytes of this process, which the server is a part of."""
    return int(psutil.Process().memory_info().rss)
