"""A record as a model card: one page of Markdown for whoever has to decide about the model.

The sections are those of Mitchell et al., *Model Cards for Model Reporting* (2019).
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from course_utils.registry.store import Record

UNKNOWN = "Not stated when this version was registered."


def card(record: Record) -> str:
    """The record as Markdown."""
    template = Path(__file__).with_name("card.md.jinja").read_text("utf-8")
    markdown = Environment(
        finalize=escape_markdown, undefined=StrictUndefined, keep_trailing_newline=True
    )
    markdown.filters["number"] = lambda value: "unknown" if value is None else f"{value:.4g}"
    markdown.filters["thousands"] = "{:,}".format
    return markdown.from_string(template).render(record.document, record=record, unknown=UNKNOWN)


def escape_markdown(value: Any) -> str:
    """A text on one line in which Markdown finds no mark-up; one marked as safe stays as it is."""
    if isinstance(value, Markup):
        return value
    return re.sub(r"([\\`*_{}\[\]<>#|!$~&])", r"\\\1", " ".join(str(value).split()))
