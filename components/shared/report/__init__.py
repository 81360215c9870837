"""HTML pages that need no network and no script: Jinja2 templates with inline style and SVG."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2

from headrace.components.shared import files


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def render(template: str, **values: Any) -> str:
    """Renders ``templates/<template>``; values are escaped."""
    return _environment().get_template(template).render(**values)


def write(path: Path | str, template: str, **values: Any) -> None:
    """Renders ``template`` into the file ``path``."""
    files.write_text(Path(path), render(template, **values))
