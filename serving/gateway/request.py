"""What a caller brings for a model: the form of its requests, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, ValidationError, create_model, with_config
from typing_extensions import TypedDict

from headrace.serving.gateway.errors import InvalidRequestError, TooLargeError

_INT64 = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
#: By the names of Feast's types and of TensorFlow's.
KINDS: Mapping[str, Any] = {
    "INT64": _INT64,
    "INT32": Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)],
    "UNIX_TIMESTAMP": _INT64,
    "FLOAT": float,
    "DOUBLE": float,
    "FLOAT32": float,
    "FLOAT64": float,
    "STRING": str,
    "BOOL": bool,
}
#: How many faults of a request are told.
_SHOWN = 5


@dataclass(frozen=True)
class RequestField:
    """One column that the caller brings.

    Attributes:
        name: Its name.
        kind: One of :data:`KINDS`; anything else is taken as it comes.
        optional: Whether it may be null or left out.
        example: A value for the documentation.
    """

    name: str
    kind: str
    optional: bool = False
    example: Any = None


class RequestForm:
    """Parses the requests of one version of a model."""

    def __init__(self, fields: Sequence[RequestField], *, max_rows: int) -> None:
        """Prepares the check.

        Args:
            fields: The columns.
            max_rows: The largest number of rows.
        """
        self.fields = tuple(fields)
        self._max_rows = max_rows
        strict = ConfigDict(extra="forbid", strict=True)
        hints = {field.name: _hint(field) for field in fields}
        make: Any = TypedDict
        row = with_config(strict)(make("Instance", hints))
        rows = Annotated[list[row], Field(min_length=1)]  # type: ignore[valid-type]
        self._model: type[Any] = create_model("Request", __config__=strict, instances=(rows, ...))

    def parse(self, body: bytes) -> tuple[dict[str, list[Any]], int]:
        """The request's columns and its number of rows; what was left out is None.

        Raises:
            InvalidRequestError: a column is missing, unknown or of a wrong type.
            TooLargeError: there are too many rows.
        """
        try:
            rows = self._model.model_validate_json(body).instances
        except ValidationError as error:
            raise self._invalid(error) from None
        if len(rows) > self._max_rows:
            raise TooLargeError(
                f"The request has {len(rows):,} rows; at most {self._max_rows:,} are allowed.",
                fix="Send several requests, or raise limits.rows in gateway.yaml.",
            )
        names = [field.name for field in self.fields]
        return {name: [row.get(name) for row in rows] for name in names}, len(rows)

    def schema(self) -> dict[str, Any]:
        """The form as JSON Schema, for OpenAPI."""
        schema: dict[str, Any] = self._model.model_json_schema()
        return schema

    def example(self) -> dict[str, Any]:
        """A request that is valid."""
        return {"instances": [{field.name: field.example for field in self.fields}]}

    def _invalid(self, error: ValidationError) -> InvalidRequestError:
        faults = [
            f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        ]
        rest = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        wanted = ", ".join(f.name + ("?" if f.optional else "") for f in self.fields)
        return InvalidRequestError(
            f"The request is not valid: {'; '.join(faults[:_SHOWN])}{rest}.",
            fix=f'Send {{"instances": [{{…}}]}} with these names: {wanted}.',
        )


def _hint(field: RequestField) -> Any:
    kind = KINDS.get(field.kind, Any)
    if field.kind in ("FLOAT", "DOUBLE", "FLOAT32", "FLOAT64"):
        kind = Annotated[kind, Field(allow_inf_nan=False)]
    return NotRequired[kind | None] if field.optional else kind
