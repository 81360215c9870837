"""A project's section ``platform`` on the steps of a pipeline, through KFP's own calls."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal

from kfp import dsl, kubernetes
from kfp.dsl import pipeline_context

from headrace.components.shared.config.platform import Platform
from headrace.components.shared.config.step import Step
from headrace.components.shared.interface import CORE_IMAGE, TFX_IMAGE

#: Open-source KFP takes a second document with settings for Kubernetes; Vertex AI refuses one.
Target = Literal["kubeflow", "vertex"]

_ROLES = {CORE_IMAGE: "core", TFX_IMAGE: "tfx"}
_ONLY_IN_SECOND = ("timeout", "node_selector", "tolerations", "secrets", "volumes")


def with_platform(pipeline: Any, platform: Platform, target: Target) -> Any:
    """The pipeline again, each of its steps with what it asks for.

    Args:
        pipeline: A pipeline that ``dsl.pipeline`` made.
        platform: The project's settings.
        target: ``vertex`` leaves out what is in the second document only.
    """
    function = pipeline.pipeline_func

    @functools.wraps(function)
    def build(*inputs: Any) -> None:
        function(*inputs)
        for task in pipeline_context.Pipeline.get_default_pipeline().tasks.values():
            step = platform.step(task.component_spec.name.replace("-", "_"))
            _set_container(task, step, platform)
            if target == "kubeflow":
                _set_pod(task, step, platform)

    decorate = dsl.pipeline(
        name=pipeline.name,
        description=pipeline.description,
        pipeline_config=_run_limits(platform) if target == "kubeflow" else None,
    )
    return decorate(build)


def left_out_for_vertex(platform: Platform) -> list[str]:
    """Keys of project.yaml that are set and that Vertex AI has no place for."""
    return [f"platform.{key}" for key in _kubernetes_only(platform)]


def _kubernetes_only(platform: Platform) -> Iterator[str]:
    for key in ("runs", "image_pull_policy", "image_pull_secrets"):
        if key in platform.model_fields_set:
            yield key
    for name, step in platform.steps.items():
        yield from (f"steps.{name}.{k}" for k in _ONLY_IN_SECOND if k in step.model_fields_set)


def _run_limits(platform: Platform) -> dsl.PipelineConfig:
    return dsl.PipelineConfig(
        active_deadline_seconds=platform.runs.timeout,
        ttl_seconds_after_finished=platform.runs.keep,
        ttl_seconds_after_success=platform.runs.keep_succeeded,
        ttl_seconds_after_failure=platform.runs.keep_failed,
    )


def _set_container(task: dsl.PipelineTask, step: Step, platform: Platform) -> None:
    """What the first document says, for every target."""
    settings = (
        (task.set_cpu_request, step.cpu.request),
        (task.set_cpu_limit, step.cpu.limit),
        (task.set_memory_request, step.memory.request),
        (task.set_memory_limit, step.memory.limit),
        (task.set_container_image, getattr(platform.images, _ROLES[task.container_spec.image])),
    )
    for change, value in settings:
        if value is not None:
            change(value)
    if step.accelerator:
        task.set_accelerator_type(step.accelerator.type)
        task.set_accelerator_limit(step.accelerator.count)
    if step.retries.count:
        task.set_retry(
            num_retries=step.retries.count,
            backoff_duration=f"{step.retries.wait}s",
            backoff_factor=step.retries.factor,
            backoff_max_duration=f"{step.retries.longest_wait}s",
        )


def _set_pod(task: dsl.PipelineTask, step: Step, platform: Platform) -> None:
    """What the second document says, for Kubernetes."""
    if step.timeout:
        kubernetes.set_timeout(task, step.timeout)
    for label, value in step.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in step.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key,
            operator=toleration.operator,
            value=toleration.value,
            effect=toleration.effect,
            toleration_seconds=toleration.seconds,
        )
    _set_secrets(task, step)
    _set_volumes(task, step)
    if platform.image_pull_policy:
        kubernetes.set_image_pull_policy(task, platform.image_pull_policy)
    if platform.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, platform.image_pull_secrets)


def _set_secrets(task: dsl.PipelineTask, step: Step) -> None:
    for secret in step.secrets:
        if secret.mount:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount, secret.optional)
        else:
            kubernetes.use_secret_as_env(task, secret.name, secret.env, secret.optional)


def _set_volumes(task: dsl.PipelineTask, step: Step) -> None:
    for number, volume in enumerate(step.volumes, start=1):
        if volume.claim:
            kubernetes.mount_pvc(task, volume.claim, volume.mount, volume.sub_path)
        else:
            kubernetes.add_ephemeral_volume(
                task,
                volume_name=f"volume-{number}",
                mount_path=volume.mount,
                access_modes=["ReadWriteOnce"],
                size=volume.size,
                storage_class_name=volume.storage_class,
            )
