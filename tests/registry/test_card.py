"""The model card has the sections of the paper, filled with what is known of the version."""

from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry.card import UNKNOWN
from tests.saved.test_saved import HERE as SAVED

SECTIONS = [  # Mitchell et al. 2019, figure 1
    *("Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data"),
    *("Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations"),
]


def list_headings(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("#")]


def test_a_card_has_the_sections_of_the_paper(version: registry.ModelVersion):
    card = registry.render_card(version)
    assert list_headings(card) == [
        "# Model card: mpg, version 1",
        *(f"## {title}" for title in SECTIONS),
    ]
    for said in (
        "For cars of 1970 to 1982.",
        "- epochs: 100",
        "300 rows of cylinders",
        "92 rows of cylinders",
        version.document["data"]["testing"]["sha256"],
        f"| rmse | {version.document['metrics']['computed']['rmse']:.4g} |",
        "| epochs_run (given) | 42 |",
        "| weight | 1613 |",
        "2026-01-31T12:00:00.000+00:00 to ",
        "`course models verify mpg 1`",
    ):
        assert said in card


def test_what_was_not_told_is_said_to_be_unknown(kept: Path):
    card = registry.render_card(registry.load("mpg", 2, store=kept))
    assert f"## Intended Use\n\n{UNKNOWN}" in card
    assert "None was set aside" in card
    assert "- **Training**: unknown to " in card


@pytest.mark.parametrize("number", [1, 2])
def test_a_version_that_0_1_0_has_written_has_a_card(number: int):
    saved = registry.load("mpg", number, store=SAVED / "records")
    assert len(list_headings(registry.render_card(saved))) == 1 + len(SECTIONS)
