import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from headrace.pipelines.local import graph, report
from headrace.pipelines.local.records import State


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.open = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        if tag not in {"meta", "rect", "path", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def text(example):
    return report.render(example)


def test_the_page_is_whole_and_needs_nothing_else(text):
    page = Page(text)

    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "img" not in page.tags
    assert not re.search(r"src=|@import|url\((?!#tip)", text)
    assert len(text) < 2_000_000
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert inner
    assert set(inner) <= set(page.ids)


def test_the_page_tells_what_happened(text, example):
    for part in (
        "training",
        "flights",
        example.run_id,
        "2.3 GB",
        "75.0 s",
        "not blessed: AUC",
        "0.612346",
        "Improve the model.",
        "gate did not succeed",
        "2 attempts",
        "slice \u00d72",
    ):
        assert part in text, part


def test_texts_are_escaped(text):
    assert "AUC &lt;b&gt;0.61&lt;/b&gt; is below" in text
    assert "<td>&lt;script&gt;</td>" in text
    assert "<script>" not in text


def test_small_pages_of_steps_are_embedded_without_rights_and_large_ones_linked(text):
    assert text.count("<iframe") == 1
    assert 'sandbox=""' in text
    assert "x" * 1000 not in text
    assert 'href="pages/evaluator.big.html"' in text


def test_links_survive_a_move_of_the_home(text, tmp_path):
    assert 'href="../../steps/evaluator/0123456789abcdef/metrics"' in text
    assert 'href="gs://b/m"' in text
    assert str(tmp_path) not in text


def test_embedding_stops_before_the_page_grows_too_large(example, tmp_path):
    outputs = example.tasks["evaluator"].outputs
    for number in range(10):
        path = tmp_path / f"page{number}"
        path.write_text(f"{number}" * 290_000)
        outputs.artifacts[f"page{number}"] = outputs.artifacts["page"].model_copy(
            update={"uri": str(path)}
        )

    text = report.render(example)
    assert 1 < text.count("<iframe") < 10
    assert len(text) < 2_000_000


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_shown(make_run, make_task, state):
    Page(report.render(make_run(make_task("only", state), state=state)))


def test_a_run_without_steps_can_be_shown(make_run):
    Page(report.render(make_run()))


def test_the_report_is_written_into_the_runs_folder(example):
    example.folder.mkdir(parents=True)

    assert report.write(example) == example.folder / "report.html"
    assert sorted(path.name for path in example.folder.iterdir()) == ["pages", "report.html"]
    page = example.folder / "pages" / "evaluator.big.html"
    assert page.resolve() == Path(example.tasks["evaluator"].outputs.artifacts["big"].uri).resolve()


def boxes(picture):
    return [(node.x, node.y, node.x + graph.WIDTH, node.y + graph.HEIGHT) for node in picture.nodes]


def test_steps_stand_below_what_they_wait_for_and_never_overlap(make_run, make_task):
    names = [f"s{number}" for number in range(30)]
    tasks = [make_task(names[0])]
    for number in range(1, len(names)):
        before = {names[number * 7 // 11], *names[: number % 3]}
        tasks.append(make_task(names[number], upstream=sorted(before)))
    picture = graph.layout(make_run(*tasks))

    place = {node.name: node for node in picture.nodes}
    for one in tasks:
        assert all(place[name].y < place[one.name].y for name in one.upstream)
    found = boxes(picture)
    for number, (left, top, right, bottom) in enumerate(found):
        assert left >= 0 and right <= picture.width and top >= 0 and bottom <= picture.height
        for other in found[number + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_edges_that_follow_from_others_are_left_out_and_iterations_are_one_box(example):
    picture = graph.layout(example)

    assert [node.name for node in picture.nodes].count("slice") == 1
    (node,) = (node for node in picture.nodes if node.name == "slice")
    assert (node.count, node.state, node.anchor) == (2, State.FAILED, "slice.0")
    # ingest to trainer, trainer to evaluator, evaluator to gate, gate to pusher, ingest to slice
    assert len(picture.edges) == 5
