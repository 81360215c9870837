"""Finding what people name by an id or a name, and lists that go over several pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from headrace.components.shared.text import nearest
from headrace.pipelines.cluster.errors import ClusterError

NEWEST_FIRST = "created_at desc"
_PAGE = 100
#: KFP's number for "equals" in a filter.
_EQUALS = 1


def named(name: str) -> str:
    """A filter for the display name."""
    predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def exact(items: Iterable[Any] | None, name: str) -> list[Any]:
    """The items with this very name: servers take small and capital letters for the same."""
    return [item for item in items or [] if item.display_name == name]


def everything(ask: Callable[..., Any], field: str, **options: Any) -> Iterator[Any]:
    """All items of a list, asked for page by page.

    Args:
        ask: A method of the client that takes ``page_token``.
        field: The attribute of its answer that holds the items.
        options: What else it takes.
    """
    token = ""
    while True:
        page = ask(page_token=token, page_size=_PAGE, **options)
        yield from getattr(page, field) or []
        token = page.next_page_token
        if not token:
            return


def one(
    word: str, what: str, by_id: Callable[[str], Any], ask: Callable[..., Any], field: str
) -> Any:
    """The newest thing with this id or name.

    Args:
        word: What was typed.
        what: The kind of thing, for the message.
        by_id: Gets a thing by its id.
        ask: Lists things.
        field: The attribute of the list that holds them.

    Raises:
        ClusterError: there is none.
    """
    try:
        return by_id(word)
    except ClusterError as error:
        # Servers differ in what they say about a text that is no id at all.
        if error.status not in {400, 404, 500}:
            raise
    found = exact(everything(ask, field, filter=named(word), sort_by=NEWEST_FIRST), word)
    if found:
        return found[0]
    recent = getattr(ask(page_size=20, sort_by=NEWEST_FIRST), field) or []
    raise ClusterError(
        f"The server has no {what} with the id or name {word!r}.",
        fix=nearest(word, {item.display_name for item in recent}),
        status=404,
    )
