"""What the kinds of inference share: options, names, and parts of answers."""

from __future__ import annotations

from dataclasses import dataclass

from tensorflow_serving.apis import model_pb2

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.runtime.signatures import DEFAULT_SIGNATURE
from headrace.serving.server.seam import Array, Servable, Signature

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
PREDICT = "tensorflow/serving/predict"

#: The one input of a signature for Classify or Regress.
INPUT = "inputs"


@dataclass(frozen=True)
class InferenceOptions:
    """What flags change about answers.

    Attributes:
        check_method_name: Refuse a signature whose method is another one.
        tensor_content: Answer a Predict with ``tensor_content``.
    """

    check_method_name: bool = False
    tensor_content: bool = False


DEFAULTS = InferenceOptions()


def fill_spec(spec: model_pb2.ModelSpec, servable: Servable, signature: str) -> None:
    """Says which version and signature answered."""
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature or DEFAULT_SIGNATURE


def find(servable: Servable, name: str) -> Signature:
    """The signature that a Classify or Regress means.

    Raises:
        ServingError: INVALID_ARGUMENT, there is none of that name.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f"No signature was found with the name: {name}")
    return servable.signatures[name]


def check_method(kind: str, method: str, signature: Signature, options: InferenceOptions) -> None:
    """Refuses a signature of another method, when that is to be checked."""
    if options.check_method_name and signature.method_name != method:
        raise invalid(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )


def shape(array: Array) -> str:
    """A shape as TensorFlow prints it."""
    return f"[{','.join(map(str, array.shape))}]"


def describe(signature: Signature) -> str:
    """A signature in one line."""
    return (
        f"inputs {{{','.join(signature.inputs)}}}, outputs {{{','.join(signature.outputs)}}}, "
        f'method_name: "{signature.method_name}"'
    )


def invalid(message: str) -> ServingError:
    """A request that can never be answered."""
    return ServingError(Code.INVALID_ARGUMENT, message)
