"""The model card has the sections of the paper, and Markdown reads them as they are meant."""

from pathlib import Path

from markdown_it import MarkdownIt

from course_utils import registry
from course_utils.registry.card import UNKNOWN, card
from tests.support.records import CARS, FEATURES, FILES, register

SECTIONS = [  # Mitchell et al. 2019, figure 1
    *("Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data"),
    *("Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations"),
]
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def headings(markdown: str) -> list[tuple[str, str]]:
    tokens = MARKDOWN.parse(markdown)
    places = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    return [(tokens[i].tag, tokens[i + 1].content) for i in places]


def test_a_card_has_the_sections_of_the_paper(record: registry.Record):
    written = card(record)
    assert headings(written) == [
        ("h1", "Model card: mpg, version 1"),
        *(("h2", title) for title in SECTIONS),
    ]
    for said in (
        "For cars of 1970 to 1982.",
        "- epochs: 100",
        "300 rows of cylinders",
        "92 rows of cylinders",
        record.document["data"]["testing"]["sha256"],
        f"| rmse | {record.document['metrics']['computed']['rmse']:.4g} |",
        "| epochs\\_run (given) | 42 |",
        "| weight | 1613 |",
        "2026-01-31T12:00:00.000+00:00 to ",
        "`course models verify mpg 1`",
    ):
        assert said in written


def test_what_was_not_told_is_said_to_be_unknown(kept: Path):
    written = card(registry.load("mpg", 2, store=kept))
    assert f"## Intended Use\n\n{UNKNOWN}" in written
    assert "None was set aside" in written
    assert "- **Training**: unknown to " in written


def test_a_command_in_a_code_span_can_be_typed(tmp_path: Path):
    assert "`course models verify mpg_2 1`" in card(register(tmp_path, name="mpg_2"))


def test_names_do_not_become_markup(tmp_path: Path):
    evil = ["a|b", "*c*", "<script>", "`d`", "[e](f)", "# g\n## h", "\\"]
    cars = CARS[[*FEATURES, "mpg"]].rename(columns=dict(zip(FEATURES, evil, strict=True)))
    record = register(
        tmp_path,
        files=FILES[:1],
        training=cars,
        testing=None,
        notes="## Not a section\n<img src=x>",
        configuration={"# x": "**y**"},
    )
    written = card(record)
    assert [title for _, title in headings(written)][1:] == SECTIONS
    html = MARKDOWN.render(written)
    for mark in ("<script", "<img", "<em>", "<a ", "<h3>"):
        assert mark not in html
    assert html.count("<code>") == 2  # our own: a digest and a command
    for said in ("a|b", "*c*", "&lt;script&gt;", "`d`", "[e](f)", "# g ## h"):
        assert f"<td>{said}</td>" in html
