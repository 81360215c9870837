"""Tables in summaries survive whatever stands in the data."""

from headrace.components.shared.text import markdown_table
from tests.support.kfp_ui import markdown_tokens


def test_a_cell_may_hold_bars_and_lines():
    text = markdown_table(
        ("genre", "rows"), [("Action|Comedy", 3), ("two\nlines", 4)], numbers=(1,)
    )
    tokens = markdown_tokens(text)
    assert [t.type for t in tokens].count("tr_open") == 3
    cells = [token.content for token in tokens if token.type == "inline"]
    assert cells == ["genre", "rows", "Action|Comedy", "3", "two lines", "4"]
    right = [token for token in tokens if token.attrs.get("style") == "text-align:right"]
    assert len(right) == 3
