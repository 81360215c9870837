"""TensorFlow Serving's configuration: text-format protos that the server would read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, message_factory, text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from .conftest import ENVIRONMENTS, SERVING
from .test_manifests import of_kind

BASE = SERVING / "base" / "tf-serving"
MODELS = [BASE / "models.config", *sorted(SERVING.glob("overlays/*/models.config"))]


def messages():
    """BatchingParameters and MonitoringConfig, which tensorflow-serving-api lacks.

    Names and types as in TensorFlow Serving's session_bundle_config.proto and
    monitoring_config.proto.
    """
    file = descriptor_pb2.FileDescriptorProto(name="settings.proto", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields):
        made = file.message_type.add(name=name)
        for number, (label, kind, called) in enumerate(fields, start=1):
            one = made.field.add(name=called, number=number, label=label)
            if isinstance(kind, str):
                one.type, one.type_name = field.TYPE_MESSAGE, f".{kind}"
            else:
                one.type = kind

    once, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    message("Int64Value", (once, field.TYPE_INT64, "value"))
    message("BoolValue", (once, field.TYPE_BOOL, "value"))
    message("StringValue", (once, field.TYPE_STRING, "value"))
    numbers = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches")
    message(
        "BatchingParameters",
        *((once, "Int64Value", name) for name in (*numbers, "num_batch_threads")),
        (once, "StringValue", "thread_pool_name"),
        (many, field.TYPE_INT64, "allowed_batch_sizes"),
        (once, field.TYPE_BOOL, "pad_variable_length_inputs"),
    )
    message(
        "PrometheusConfig", (once, field.TYPE_BOOL, "enable"), (once, field.TYPE_STRING, "path")
    )
    message("MonitoringConfig", (once, "PrometheusConfig", "prometheus_config"))
    return message_factory.GetMessages([file])


def parse(path: Path, message):
    return text_format.Parse(path.read_text(encoding="utf-8"), message)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_models(path):
    models = parse(path, ModelServerConfig()).model_config_list.config
    assert models
    assert len({model.name for model in models}) == len(models)
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        policy = model.model_version_policy
        # A label of a version that is not loaded would be refused.
        assert set(model.version_labels.values()) <= set(policy.specific.versions)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_overlays_serve_their_own_models(name, render):
    configs = of_kind(render(SERVING / "overlays" / name), "ConfigMap")
    text = configs["tf-serving-models"]["data"]["models.config"]
    own = SERVING / "overlays" / name / "models.config"
    assert text == (own if own.exists() else BASE / "models.config").read_text()


def test_released_models_have_versions_and_labels():
    for name in ("staging", "prod"):
        config = parse(SERVING / "overlays" / name / "models.config", ModelServerConfig())
        models = config.model_config_list.config
        assert len(models) > 1
        assert all(model.version_labels["stable"] for model in models)


def test_batching():
    batching = parse(BASE / "batching.config", messages()["BatchingParameters"]())
    sizes = list(batching.allowed_batch_sizes)
    # TensorFlow Serving's rules: ascending, and the last one is the largest batch.
    assert sizes == sorted(sizes)
    assert sizes[-1] == batching.max_batch_size.value


def test_prometheus_reads_the_path_that_is_served():
    monitoring = parse(BASE / "monitoring.config", messages()["MonitoringConfig"]())
    assert monitoring.prometheus_config.enable
    for file in ("prometheus.yml", "service-monitors.yaml"):
        text = (SERVING / "monitoring" / file).read_text()
        (path,) = set(re.findall(r"path: (/monitoring[\w/]+)", text))
        assert path == monitoring.prometheus_config.path
