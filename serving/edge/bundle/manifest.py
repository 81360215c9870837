"""``manifest.json``: what is in a bundle, and what its models take, give and were measured at."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from headrace.serving.edge.bundle.errors import BundleError

MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"


def _inside(name: str) -> str:
    """Refuses what is not the plain relative path of a file below the bundle."""
    plain = PurePosixPath(name).as_posix() == name and "\\" not in name and "\0" not in name
    if not plain or name.startswith("/") or ".." in name.split("/") or name == ".":
        raise ValueError(f"{name!r} is not a path inside of the bundle")
    if name in (MANIFEST, SIGNATURE):
        raise ValueError(f"{name!r} cannot list itself")
    return name


#: A value of one feature of one row; None is a missing one.
Value = int | FiniteFloat | str | None
RelativePath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
MinimalVersion = Annotated[str, StringConstraints(pattern=r"^>=\d+(\.\d+)*$")]


class _Part(BaseModel):
    """Unknown keys are errors, and values never change after parsing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """One file of the bundle.

    Attributes:
        sha256: SHA-256 of its bytes, in lower-case hexadecimal.
        bytes: Its size.
    """

    sha256: Sha256
    bytes: NonNegativeInt

    @classmethod
    def of(cls, path: Path) -> Self:
        """Measures a file."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(sha256=digest, bytes=path.stat().st_size)

    def is_at(self, path: Path) -> bool:
        """Whether this very file is at ``path``."""
        return path.is_file() and File.of(path) == self


class Tensor(_Part):
    """An input or output of a variant.

    Attributes:
        name: As the model names it.
        shape: Sizes of the dimensions; -1 where any size fits.
        dtype: NumPy's name, such as ``float32`` or ``int8``.
        scale: Of a quantised tensor: real value = ``scale * (stored - zero_point)``.
        zero_point: See ``scale``.
    """

    name: str
    shape: list[int]
    dtype: str
    scale: FiniteFloat | None = None
    zero_point: int | None = None


class Variant(_Part):
    """One form of the model.

    Attributes:
        file: Where it is in the bundle.
        inputs: What the file takes.
        outputs: What the file gives.
        metrics: Measured on the test split, by name.
        tolerance: Replaces the self-test's tolerance for this variant.
    """

    file: RelativePath
    inputs: list[Tensor]
    outputs: list[Tensor]
    metrics: dict[str, FiniteFloat] = {}
    tolerance: FiniteFloat | None = Field(default=None, ge=0)


class SelfTest(_Part):
    """Rows that a device predicts before it trusts a version.

    Attributes:
        rows: Raw features by name.
        predictions: The pushed model's: one list for each row, with one entry for each of the
            manifest's ``outputs``, in that order: a number, or the list of a vector's numbers.
        tolerance: Largest absolute difference from them.
    """

    rows: Annotated[list[dict[str, Value]], Field(min_length=1)]
    predictions: list[list[FiniteFloat | list[FiniteFloat]]]
    tolerance: FiniteFloat = Field(ge=0)


class Description(_Part):
    """All of a manifest that is known before the bundle has a version.

    Attributes:
        model: Model name, as the model server knows it.
        feature_service: The Feast feature service that the model was trained on.
        runtime: Distribution name to its least version, such as ``>=2.2``.
        raw_inputs: What ``predict`` takes.
        outputs: What ``predict`` gives.
        variants: Name to form; the name is the stem of the file.
        self_test: Rows to try on the device.
        default: The variant to use unless another is named.
    """

    model: str
    feature_service: str | None
    runtime: dict[str, MinimalVersion]
    raw_inputs: dict[str, Literal["int64", "float32", "string"]]
    outputs: Annotated[list[str], Field(min_length=1)]
    variants: dict[str, Variant]
    self_test: SelfTest
    default: str

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.default not in self.variants:
            raise ValueError(f"default {self.default!r} is none of the variants")
        test, width = self.self_test, len(self.outputs)
        if len(test.rows) != len(test.predictions) or any(
            len(row) != width for row in test.predictions
        ):
            raise ValueError(f"self_test must predict {width} output(s) for each of its rows")
        unknown = {name for row in test.rows for name in row} - set(self.raw_inputs)
        if unknown:
            raise ValueError(f"self_test.rows hold no raw input: {', '.join(sorted(unknown))}")
        return self


class Manifest(Description):
    """The manifest of a bundle.

    Attributes:
        format: Of this file.
        version: The same number as the version of the pushed SavedModel.
        created: When the bundle was written.
        files: Every file but the manifest and its signature.
    """

    format: Literal[1]
    version: PositiveInt
    created: AwareDatetime
    files: dict[RelativePath, File]

    @model_validator(mode="after")
    def _has_its_variants(self) -> Self:
        for name, variant in self.variants.items():
            if variant.file not in self.files:
                raise ValueError(f"variant {name}: {variant.file!r} is not among the files")
        return self

    def to_json(self) -> bytes:
        """The bytes of ``manifest.json``, which are signed."""
        values = self.model_dump(mode="json")
        return (json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes, *, where: str) -> Self:
        """Reads ``manifest.json``.

        Args:
            content: Its bytes.
            where: Where they are from, for the message.

        Raises:
            BundleError: it is not a manifest of this format.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            lines = (
                f"  {'.'.join(map(str, item['loc'])) or '(top level)'}: {item['msg']}"
                for item in error.errors()
            )
            raise BundleError(
                f"The manifest of {where} is not usable:\n" + "\n".join(lines),
                fix="Push the model again; a newer format needs a newer headrace on the device.",
            ) from None
