"""The JSON of status and metadata, as protobuf's C++ library prints the messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from headrace.serving.server.rest.codec.tensor_writer import encode
from headrace.serving.server.seam import Servable, VersionStatus


def status(versions: Sequence[VersionStatus]) -> bytes:
    """``GetModelStatusResponse`` with all defaults."""
    return _printed({"model_version_status": [_version(one) for one in versions]})


def _version(one: VersionStatus) -> dict[str, Any]:
    return {
        "version": str(one.version),
        "state": one.state.name,
        "status": {"error_code": one.code.name, "error_message": one.message},
    }


def metadata(servable: Servable) -> bytes:
    """``GetModelMetadataResponse`` with its ``signature_def``, all defaults and proto names."""
    signatures = json_format.MessageToDict(
        servable.signature_def_map,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    spec = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
    return (
        b'{\n"model_spec":'
        + _printed(spec)
        + b',\n"metadata": {"signature_def": '
        + _printed(signatures)
        + b"}\n}\n"
    )


def models(statuses: Mapping[str, Sequence[VersionStatus]]) -> bytes:
    """Every configured model and its versions; TensorFlow Serving has no such list."""
    found = [
        {"name": name, "model_version_status": [_version(one) for one in versions]}
        for name, versions in statuses.items()
    ]
    return _printed({"models": found})


def _printed(document: dict[str, Any]) -> bytes:
    return encode(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
