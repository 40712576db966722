"""The models of a store as one HTML file: what there is, what is served, what differs.

No script, no font, no picture from elsewhere; all that comes from the records is escaped, and the
page's own policy forbids scripts and requests besides.
"""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from course_utils.common.html_report import FORBIDDEN, STYLE
from course_utils.registry.card import facts, number
from course_utils.registry.promotions import Serving, serving
from course_utils.registry.store import CHARTS, Record, names, read, versions

LISTED = 100  # newest versions of a model that are listed
COMPARED = 6  # newest versions that are put side by side
NUMBERS = ("RMSE", "MAE", "R²")
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
OWN_STYLE = """
td.differs { font-weight: 600; border-left: 0.25rem solid var(--watch); }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; }
figure img { max-width: 100%; height: auto; background: #fff; }
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Models</title>
<style>$style</style>
</head>
<body>
<main>
<h1>Models</h1>
$content
</main>
</body>
</html>
""")


def page(*, store: str | Path | None = None) -> str:
    """The models of a store as a whole HTML document, ready for UTF-8.

    A damaged record is listed as such and hides none of the others.
    """
    content = "\n".join(_model(name, store) for name in names(store=store))
    content = content or "<p>There is no model in this store yet.</p>"
    text = PAGE.substitute(style=STYLE + OWN_STYLE, content=content)
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _model(name: str, store: str | Path | None) -> str:
    found: list[Record] = []
    damaged: list[str] = []
    numbers = versions(name, store=store)[::-1]
    for version in numbers[:LISTED]:
        try:
            found.append(read(name, version, store=store))
        except ValueError as error:
            damaged.append(str(error))
    try:
        state = serving(name, store=store)
    except ValueError as error:
        state = Serving()
        damaged.append(str(error))
    parts = [f"<h2>{name}</h2>", f"<p>{_served(state)}</p>"]
    parts += [f"<p><strong>Damaged:</strong> {escape(message)}</p>" for message in damaged]
    parts += [_list(name, found, state, len(numbers))] if found else []
    compared = found[:COMPARED]
    if len(compared) > 1:
        parts.append(f"<h3>{name}: what differs</h3>")
        parts.append(_comparison(name, compared))
    parts += map(_charts, compared)
    return "\n".join(parts)


def _served(state: Serving) -> str:
    if state.version is None:
        return "No version is served yet."
    text = f"Version {state.version} is served"
    if state.canary is not None:
        text += f", version {state.canary} answers {state.share:.0%} of the requests as a canary"
    return escape(f"{text}, since {state.time}, by {state.by}. {state.reason}")


def _list(name: str, found: list[Record], state: Serving, total: int) -> str:
    words = {state.canary: "canary", state.version: "served"}
    rows = []
    for record in found:
        document = record.document
        scores = document["metrics"]
        rows.append(
            [
                f'<th scope="row">{record.version}</th>',
                _cell(words.get(record.version, ""), "word"),
                _cell(document["registered"][:19].replace("T", " "), "word"),
                _cell(document["trained"]["by"]),
                *(_cell(number(value), "number") for value in scores["computed"].values()),
                _cell(f"{scores['count']:,} {scores['rows']}", "word"),
                _cell(document["notes"], "note"),
            ]
        )
    heads = ["Version", "State", "Registered (UTC)", "By", *NUMBERS, "Rows", "Notes"]
    table = _table(f"Versions of {name}", heads, rows)
    more = f"<p>The newest {len(found)} of {total:,}.</p>" if total > len(found) else ""
    return table + more


def _comparison(name: str, found: list[Record]) -> str:
    """A row for each fact, a column for each version; a cell is marked where it is not the next."""
    columns = [facts(record) for record in found]
    rows = []
    for key in dict.fromkeys(key for column in columns for key in column):
        values = [column.get(key, "–") for column in columns]
        cells = [
            _cell(value, "differs" if value != older else "")
            for value, older in zip(values, [*values[1:], values[-1]], strict=True)
        ]
        rows.append([f'<th scope="row"><bdi>{escape(key)}</bdi></th>', *cells])
    heads = ["", *(f"Version {record.version}" for record in found)]
    note = "<p>Bold, with a bar at its left: what differs from the version before.</p>"
    return note + _table(f"Versions of {name} side by side", heads, rows)


def _charts(record: Record) -> str:
    label = f"Charts of {record.name}, version {record.version}"
    return f"<details>\n<summary>{label}</summary>\n{''.join(_figures(record))}</details>"


def _figures(record: Record) -> Iterator[str]:
    for chart in record.document["charts"]:
        path = record.folder / CHARTS / chart["file"]
        if path.is_file():  # `verify` says so where it is not
            data = base64.b64encode(path.read_bytes()).decode()
            kind = TYPES[path.suffix]
            yield (
                f'<figure>\n<img src="data:{kind};base64,{data}" alt="{escape(chart["alt"])}">\n'
                f"<figcaption>{escape(chart['title'])}</figcaption>\n</figure>\n"
            )


def _table(title: str, heads: Sequence[str], rows: list[list[str]]) -> str:
    """A table in a box that scrolls by itself, by keyboard too."""
    marks = dict.fromkeys(NUMBERS, " class=number")
    head = "".join(
        f'<th scope="col"{marks.get(text, "")}>{text}</th>' if text else "<td></td>"
        for text in heads
    )
    lines = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>\n</div>"
    )


def _cell(value: Any, style: str = "") -> str:
    mark = f' class="{style}"' if style else ""
    return f"<td{mark}><bdi>{escape(str(value))}</bdi></td>"
