"""Writes every component's README.md from its docstring, its signature and its metadata.yaml.

``--check`` writes nothing and fails when a file is not what it would write.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import docstring_parser
import jinja2
import yaml
from generated import report_or_write
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).parent / "templates"
METADATA_FILE = "metadata.yaml"


class Dependency(BaseModel):
    """Something a component needs to run."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^(==|>=|<=|~=|>|<)\d+(\.\d+)*$")


class Dependencies(BaseModel):
    """What a component needs besides its image."""

    model_config = ConfigDict(extra="forbid")

    kubeflow: list[Dependency] = Field(min_length=1)
    external_services: list[Dependency] = []


class Metadata(BaseModel):
    """``metadata.yaml`` of a component, in the schema of kubeflow/pipelines-components."""

    model_config = ConfigDict(extra="forbid")

    name: str
    stability: Literal["experimental", "alpha", "beta", "stable"]
    dependencies: Dependencies
    lastVerified: datetime  # The schema's own spelling.
    tags: list[str] = []


@dataclass(frozen=True)
class Row:
    """An input or an output, as the README's table shows it."""

    name: str
    type: str
    default: str
    description: str


def component_folders(root: Path = ROOT) -> list[Path]:
    """The folders that hold a component, in order."""
    return sorted(path.parent for path in root.glob("components/*/*/component.py"))


def read_metadata(folder: Path) -> Metadata:
    """Reads and checks a component's ``metadata.yaml``.

    Raises:
        ValueError: A key is missing, unknown, out of order or wrong.
    """
    values = yaml.safe_load((folder / METADATA_FILE).read_text(encoding="utf-8"))
    metadata = Metadata.model_validate(values)
    expected = [name for name in Metadata.model_fields if name in values]
    if list(values) != expected:
        raise ValueError(f"{folder / METADATA_FILE}: keys must come in the order {expected}")
    return metadata


def load_component(folder: Path) -> Any:
    """The KFP component that a folder defines: it has the folder's name."""
    module = ".".join(("headrace", *folder.relative_to(ROOT).parts, "component"))
    return getattr(importlib.import_module(module), folder.name)


def render(folder: Path) -> str:
    """The README of the component in ``folder``."""
    component = load_component(folder)
    spec = component.component_spec
    doc = docstring_parser.parse(component.python_func.__doc__ or "", docstring_parser.Style.GOOGLE)
    described = {param.arg_name: param.description or "" for param in doc.params}
    # KFP calls a single return value "Output"; those of a NamedTuple it describes itself.
    described["Output"] = doc.returns.description or "" if doc.returns else ""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("component.md.j2").render(
        name=folder.name,
        category=folder.parent.name,
        module=component.python_func.__module__,
        image=spec.implementation.container.image,
        summary=doc.short_description,
        details=doc.long_description or "",
        inputs=list(_rows(spec.inputs or {}, described)),
        outputs=list(_rows(spec.outputs or {}, described)),
        metadata=read_metadata(folder),
    )


def _rows(specs: dict[str, Any], described: dict[str, str]) -> Iterator[Row]:
    for name, spec in specs.items():
        kind = spec.type.removeprefix("system.").partition("@")[0]
        optional = getattr(spec, "optional", False)
        default = f"`{spec.default!r}`" if optional else ""
        text = " ".join((spec.description or described[name]).split()).replace("|", "\\|")
        yield Row(name, kind, default, text)


def main() -> int:
    """Writes or checks all READMEs; returns the exit code."""
    texts = {folder / "README.md": render(folder) for folder in component_folders()}
    return report_or_write(texts, check="--check" in sys.argv, root=ROOT)


if __name__ == "__main__":
    sys.exit(main())
