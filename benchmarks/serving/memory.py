"""Memory of the model server while it answers requests and versions come and go."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.serving import servers
from benchmarks.serving.servers import Endpoint, Question

REQUESTS = 200_000
SWAPS = 50
#: Megabytes that may come on top between 20 % and 100 % of the requests.
LIMIT = 50.0
_CONCURRENCY = 16
_SECONDS = 1.0


@dataclass
class Growth:
    """What the server needed.

    Attributes:
        sizes: Resident memory in MB after each swap and its share of the requests.
        requests: How many were answered, all of them well.
    """

    sizes: list[float] = field(default_factory=list)
    requests: int = 0

    @property
    def start(self) -> float:
        """At 20 % of the requests, when everything has run more than once."""
        return self.sizes[len(self.sizes) // 5 - 1]

    @property
    def end(self) -> float:
        """After all of them."""
        return self.sizes[-1]

    @property
    def growth(self) -> float:
        """What came on top between the two."""
        return self.end - self.start


def measure(question: Question, work: Path) -> Growth:
    """Half of the requests over gRPC, half over REST; a new version for each share of them."""
    base = work / "serving-memory" / servers.NAME
    base.mkdir(parents=True, exist_ok=True)
    (base / "1").symlink_to(question.model, target_is_directory=True)
    grown = Growth()
    with servers.ours(base, question, *servers.batching(base.parent)) as endpoints:
        process = psutil.Process(endpoints[0].process)
        for version in range(2, 2 + SWAPS):
            (base / str(version)).symlink_to(question.model, target_is_directory=True)
            share = 0.0
            while share < REQUESTS / SWAPS or _serving(endpoints[1]) != [version]:
                for endpoint in endpoints:
                    share += endpoint.load(_CONCURRENCY, _SECONDS).rate * _SECONDS
            grown.requests += round(share)
            grown.sizes.append(process.memory_info().rss / 1e6)
    return grown


def _serving(rest: Endpoint) -> list[int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{rest.port}/v1/models/{servers.NAME}") as answer:
        versions = json.load(answer)["model_version_status"]
    return [int(one["version"]) for one in versions if one["state"] == "AVAILABLE"]
