"""Signatures as values, and the checks that TensorFlow Serving makes before a model runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headrace.serving.server import tensors
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.seam import Array, Signature, TensorSpec

DEFAULT_SIGNATURE = "serving_default"


def from_proto(signature_def: Any) -> Signature:
    """Reads a ``SignatureDef``; aliases are sorted, so that feeds have one order."""
    return Signature(
        method_name=signature_def.method_name,
        inputs=_specs(signature_def.inputs),
        outputs=_specs(signature_def.outputs),
        defaults=MappingProxyType(
            {alias: tensors.from_proto(proto) for alias, proto in signature_def.defaults.items()}
        ),
    )


def _specs(infos: Mapping[str, Any]) -> Mapping[str, TensorSpec]:
    return MappingProxyType({alias: _spec(infos[alias]) for alias in sorted(infos)})


def _spec(info: Any) -> TensorSpec:
    shape = info.tensor_shape
    sizes = tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)
    return TensorSpec(info.name, info.dtype, None if shape.unknown_rank else sizes)


def find(signatures: Mapping[str, Signature], name: str) -> Signature:
    """The signature that a Predict means.

    Raises:
        ServingError: FAILED_PRECONDITION, there is none of that name.
    """
    name = name or DEFAULT_SIGNATURE
    try:
        return signatures[name]
    except KeyError:
        raise ServingError(
            Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        ) from None


def feeds(signature: Signature, inputs: Mapping[str, Array]) -> list[Array]:
    """The values to feed, in the order of ``signature.inputs``.

    Raises:
        ServingError: INVALID_ARGUMENT, inputs are missing or not known.
    """
    if len(inputs) != len(signature.inputs):
        _check_number(signature, inputs)
    values, used = [], 0
    for alias, spec in signature.inputs.items():
        if alias in inputs:
            values.append(inputs[alias])
            used += 1
        elif alias in signature.defaults:
            values.append(signature.defaults[alias])
        else:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Signature input alias: {alias}(feed name: {spec.name}) not found in request and "
                f"no default value provided. Inputs expected to be in the request "
                f"{{{_list(inputs)}}}, or default input alias set: {_list(signature.defaults)}",
            )
    if used != len(inputs):
        known = [alias for alias in inputs if alias in signature.inputs]
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Inputs contains invalid name. Used request inputs: {_list(known)}, "
            f"request input: {_list(inputs)}",
        )
    return values


def _check_number(signature: Signature, inputs: Mapping[str, Array]) -> None:
    sent, wanted = set(inputs), set(signature.inputs)
    if len(sent) < len(wanted) and signature.defaults:
        return
    raise ServingError(
        Code.INVALID_ARGUMENT,
        f"input size does not match signature: {len(sent)}!={len(wanted)} "
        f"len({{{_list(sent)}}}) != len({{{_list(wanted)}}}). "
        f"Sent extra: {{{_list(sent - wanted)}}}. "
        f"Missing but required: {{{_list(wanted - sent)}}}.",
    )


def fetches(signature: Signature, wanted: Sequence[str]) -> tuple[str, ...]:
    """The aliases to fetch; all of them when none is wanted in particular.

    Raises:
        ServingError: INVALID_ARGUMENT, an alias is not known or wanted twice.
    """
    if not wanted:
        return tuple(signature.outputs)
    for position, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_list(signature.outputs)}}}.",
            )
        if alias in wanted[:position]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
    return tuple(sorted(wanted))


def _list(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
