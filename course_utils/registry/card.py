"""A version as a model card: one page of Markdown for whoever has to decide about the model.

The sections are those of Mitchell et al., *Model Cards for Model Reporting* (2019).
"""

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from course_utils.registry.store import ModelVersion

UNKNOWN = "Not stated when this version was registered."


def render_card(version: ModelVersion) -> str:
    """The card, in Markdown; what was told at the registration is taken as Markdown, too."""
    template = Path(__file__).with_name("card.md.jinja").read_text("utf-8")
    markdown = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    markdown.filters["number"] = lambda value: "unknown" if value is None else f"{value:.4g}"
    markdown.filters["thousands"] = "{:,}".format
    absent = {"importance": None, "confusions": None}  # as not every kind of model has them
    return markdown.from_string(template).render(absent | version.document, unknown=UNKNOWN)
