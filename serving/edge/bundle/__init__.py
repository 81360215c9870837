"""The signed folder that carries a model to devices: its manifest, keys, writing, checking."""

from headrace.serving.edge.bundle.check import check_bundle, check_manifest
from headrace.serving.edge.bundle.errors import BundleError, SignatureError
from headrace.serving.edge.bundle.keys import (
    generate_keys,
    public_pem,
    read_public_keys,
    signing_key,
)
from headrace.serving.edge.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    Description,
    Manifest,
    SelfTest,
    Tensor,
    Variant,
)
from headrace.serving.edge.bundle.pointer import POINTER, read_pointer, write_pointer
from headrace.serving.edge.bundle.write import write_bundle

__all__ = [
    "MANIFEST",
    "POINTER",
    "SIGNATURE",
    "BundleError",
    "Description",
    "Manifest",
    "SelfTest",
    "SignatureError",
    "Tensor",
    "Variant",
    "check_bundle",
    "check_manifest",
    "generate_keys",
    "public_pem",
    "read_pointer",
    "read_public_keys",
    "signing_key",
    "write_bundle",
    "write_pointer",
]
