"""What the generators share: write files, or say which ones are not in step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def stale(texts: Mapping[Path, str]) -> list[Path]:
    """The files that do not hold the text they should."""
    return [
        path
        for path, text in texts.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def report_or_write(texts: Mapping[Path, str], *, check: bool, root: Path) -> int:
    """Writes what is not in step; with ``check`` only names it.

    Returns:
        The exit code: 1 when ``check`` found something.
    """
    changed = stale(texts)
    for path in changed:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path], encoding="utf-8")
        print(f"{'not in step' if check else 'written'}: {path.relative_to(root)}")
    if check and changed:
        print("Run `make docs` and commit the result.")
    return int(check and bool(changed))
