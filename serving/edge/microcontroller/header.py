"""Writes the header."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import jinja2

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.files import write_text
from headrace.serving.edge.bundle import Manifest

#: Larger models do not fit beside a program into the flash of usual microcontrollers.
LIMIT = 256 * 1024
_PER_LINE = 16


def write_header(
    bundle: Path, manifest: Manifest, variant: str, target: Path, *, limit: int = LIMIT
) -> int:
    """Writes a TensorFlow Lite variant as an array of bytes, aligned to 16 as its reader wants it.

    Args:
        bundle: A checked bundle.
        manifest: Its manifest.
        variant: Name of the variant.
        target: The header to write; the name of its array comes from the model and the variant.
        limit: The largest model to write, in bytes.

    Returns:
        Bytes of the model.

    Raises:
        ConfigError: there is no such variant, it is no TensorFlow Lite file, or it is too large.
    """
    described = manifest.variants.get(variant)
    if described is None or not described.file.endswith(".tflite"):
        usable = [n for n, one in manifest.variants.items() if one.file.endswith(".tflite")]
        raise ConfigError(
            f"{bundle} has no variant {variant!r} for TensorFlow Lite.",
            fix=f"Name one of {', '.join(sorted(usable)) or 'another bundle'}.",
        )
    content = (bundle / described.file).read_bytes()
    if len(content) > limit:
        raise ConfigError(
            f"{described.file} has {len(content):,} bytes; a microcontroller gets {limit:,}.",
            fix="Take a smaller variant or model, or raise --limit for a larger chip.",
        )
    symbol = re.sub(r"\W", "_", f"{manifest.model}_{variant}")
    symbol = f"model_{symbol}" if symbol[0].isdigit() else symbol
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    text = environment.get_template("model_data.h.j2").render(
        model=manifest.model,
        version=manifest.version,
        variant=variant,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        inputs=described.inputs,
        outputs=described.outputs,
        symbol=symbol,
        guard=f"{symbol.upper()}_H",
        lines=[
            " ".join(f"0x{byte:02x}," for byte in content[start : start + _PER_LINE])
            for start in range(0, len(content), _PER_LINE)
        ],
    )
    write_text(target, text)
    return len(content)
