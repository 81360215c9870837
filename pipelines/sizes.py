"""How much memory steps ask for."""

from kfp import dsl

#: Memory that a step may use, as Kubernetes writes it. The runner for this machine plans with it.
MEMORY = {
    "small": ("1G", "4G"),
    "data": ("2G", "8G"),
    "training": ("3G", "16G"),
}


def sized(task: dsl.PipelineTask, size: str) -> dsl.PipelineTask:
    """Sets a step's memory request and limit by name of its size."""
    request, limit = MEMORY[size]
    return task.set_memory_request(request).set_memory_limit(limit)
