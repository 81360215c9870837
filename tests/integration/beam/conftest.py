"""Beam's own job server and worker pool as processes: a cluster that pip can bring up.

Flink's and Spark's job servers speak the same protocol, with the same workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest

from headrace.feature_store.local_redis import free_port

JOB_SERVER = "apache_beam.runners.portability.local_job_service_main"
POOL = "apache_beam.runners.worker.worker_pool_main"


@dataclass
class Cluster:
    """A job server that takes pipelines, and a pool that starts a worker process for each."""

    job_server: subprocess.Popen[bytes]
    pool: subprocess.Popen[bytes]
    options: list[str]

    def workers(self) -> set[int]:
        """Process ids of the workers that the pool has started, ended ones too."""
        return {child.pid for child in psutil.Process(self.pool.pid).children()}

    def stop(self) -> None:
        for process in (self.pool, self.job_server):
            # Not SIGTERM: only on an interrupt does the pool end its workers.
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    jobs, workers = (f"localhost:{free_port()}" for _ in range(2))
    server = _start(JOB_SERVER, "--port", jobs)
    pool = _start(POOL, "--service_port", workers)
    running = Cluster(
        server,
        pool,
        [
            "--runner=PortableRunner",
            f"--job_endpoint={jobs}",
            "--environment_type=EXTERNAL",
            f"--environment_config={workers}",
            f"--temp_location={tmp_path / 'shared'}",
        ],
    )
    try:
        for address in (jobs, workers):
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=120)
        yield running
    finally:
        running.stop()


def _start(module: str, flag: str, address: str) -> subprocess.Popen[bytes]:
    # The pool starts its workers as `python`.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", module, flag, address.partition(":")[2]]
    return subprocess.Popen(command, env={**os.environ, "PATH": path})
