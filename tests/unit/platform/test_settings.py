"""Each setting arrives in the executors that it is for, as kfp-kubernetes and KFP define it."""

import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2


@pytest.fixture(scope="module")
def pods(documents):
    """Executor to its settings for Kubernetes; parsing is strict."""
    platform = json_format.ParseDict(documents[1], pipeline_spec_pb2.PlatformSpec())
    executors = platform.platforms["kubernetes"].deployment_spec.executors
    return {
        name: json_format.ParseDict(
            json_format.MessageToDict(settings), kubernetes.KubernetesExecutorConfig()
        )
        for name, settings in executors.items()
    }


@pytest.fixture(scope="module")
def containers(documents):
    executors = documents[0]["deploymentSpec"]["executors"]
    return {name: executor["container"] for name, executor in executors.items()}


def secrets(pod):
    names = {s.secret_name_parameter.runtime_value.constant.string_value for s in pod.secret_as_env}
    assert names == {s.secret_name for s in pod.secret_as_env}
    return names


def test_settings_for_all_steps_are_in_every_executor(pods, containers):
    assert pods.keys() == containers.keys()
    for pod in pods.values():
        assert pod.node_selector.labels["pool"] == "ml"
        assert secrets(pod) == {"warehouse"}
        (key,) = pod.secret_as_env[0].key_to_env
        assert (key.secret_key, key.env_var) == ("password", "DB_PASSWORD")
        assert pod.image_pull_policy == "IfNotPresent"
        assert [secret.secret_name for secret in pod.image_pull_secret] == ["registry"]


def test_settings_of_one_step_are_in_its_executor_alone(pods):
    def having(field):
        return {name for name, pod in pods.items() if getattr(pod, field)}

    assert having("tolerations") == {"exec-trainer"}
    assert having("generic_ephemeral_volume") == {"exec-trainer"}
    assert having("pvc_mount") == {"exec-ingest"}
    assert having("secret_as_volume") == {"exec-pusher"}
    selected = {name for name, pod in pods.items() if len(pod.node_selector.labels) > 1}
    assert selected == {"exec-trainer"}


def test_a_claim_and_a_secret_as_files(pods):
    (claim,) = pods["exec-ingest"].pvc_mount
    assert (claim.constant, claim.mount_path, claim.sub_path) == ("flights", "/mnt/data", "raw")
    (secret,) = pods["exec-pusher"].secret_as_volume
    assert (secret.secret_name, secret.mount_path) == ("store", "/secrets/store")
    assert secret.optional


def test_a_volume_that_ends_with_the_step(pods):
    (volume,) = pods["exec-trainer"].generic_ephemeral_volume
    assert (volume.mount_path, volume.size, volume.storage_class_name) == (
        "/scratch",
        "50Gi",
        "fast",
    )
    assert list(volume.access_modes) == ["ReadWriteOnce"]


def test_tolerations(pods):
    gpu, spot = pods["exec-trainer"].tolerations
    assert (gpu.key, gpu.operator, gpu.value, gpu.effect) == (
        "nvidia.com/gpu",
        "Exists",
        "",
        "NoSchedule",
    )
    assert not gpu.HasField("toleration_seconds")
    assert (spot.key, spot.operator, spot.value, spot.effect) == (
        "spot",
        "Equal",
        "true",
        "NoExecute",
    )
    assert spot.toleration_seconds == 60


def test_timeouts_are_the_defaults_the_projects_or_none(pods):
    assert pods["exec-ingest"].active_deadline_seconds == 6 * 3600
    assert pods["exec-trainer"].active_deadline_seconds == 48 * 3600
    assert pods["exec-pusher"].active_deadline_seconds == 0


def test_limits_of_whole_runs(documents):
    assert documents[1]["platforms"]["kubernetes"]["pipelineConfig"] == {
        "activeDeadlineSeconds": 172800,
        "resourceTtlOnCompletion": 604800,
        "resourceTtlOnSuccess": 86400,
        "resourceTtlOnFailure": 1209600,
    }


def test_cores_memory_and_accelerators(containers):
    trainer = containers["exec-trainer"]["resources"]
    assert (trainer["resourceCpuRequest"], trainer["resourceCpuLimit"]) == ("4", "16")
    # Where the project says nothing, the default stays.
    assert (trainer["resourceMemoryRequest"], trainer["resourceMemoryLimit"]) == ("3G", "64Gi")
    assert trainer["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert trainer["accelerator"]["resourceCount"] == "2"
    others = {name: c["resources"] for name, c in containers.items() if name != "exec-trainer"}
    assert not any("accelerator" in resources for resources in others.values())
    assert others["exec-transform"]["resourceCpuLimit"] == "8"


def test_each_step_gets_the_image_of_its_role(containers):
    def short(name):
        return containers[name]["image"].partition("@")[0]

    assert short("exec-trainer") == short("exec-evaluator") == "registry.example/tfx"
    assert short("exec-ingest") == short("exec-run-status") == "registry.example/core"
    assert all("@sha256:" in container["image"] for container in containers.values())


def test_retries_wait_longer_each_time(documents):
    tasks = {
        name: task
        for component in documents[0]["components"].values()
        for name, task in component.get("dag", {}).get("tasks", {}).items()
    }
    assert tasks["ingest"]["retryPolicy"] == {
        "maxRetryCount": 4,
        "backoffDuration": "60s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": "900s",
    }
    assert tasks["pusher"]["retryPolicy"]["maxRetryCount"] == 2
    assert {name for name, task in tasks.items() if "retryPolicy" in task} == {"ingest", "pusher"}
