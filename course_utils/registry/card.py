"""A record as a model card: one page of Markdown for whoever has to decide about the model.

The sections are those of Mitchell et al., *Model Cards for Model Reporting* (2019).
"""

import re
from typing import Any

from course_utils.registry.store import Record

UNKNOWN = "Not stated when this version was registered."


def card(record: Record) -> str:
    """The record as Markdown."""
    document = record.document
    scored = document["metrics"]
    sections = {
        "Model Details": _details(record),
        "Intended Use": [text(document["notes"]) or UNKNOWN],
        "Factors": [
            "The model knows what its training data hold; beyond these ranges it guesses.",
            *_ranges(document),
        ],
        "Metrics": [
            f"Computed on {scored['count']:,} {scored['rows']} rows without missing values."
            + (" Those marked as given were told, not computed." if scored["given"] else ""),
            *_table(["metric", "value"], _metrics(document)),
        ],
        "Evaluation Data": _data(document["data"]["testing"]),
        "Training Data": _data(document["data"]["training"]),
        "Quantitative Analyses": [
            "By how much the root mean squared error rises where a feature's values are shuffled "
            f"(mean of {document['importance']['repeats']}, "
            f"{document['importance']['rows']} rows):",
            *_table(
                ["feature", "rise"],
                [[e["name"], number(e["mean"])] for e in document["importance"]["features"]],
            ),
        ],
        "Ethical Considerations": [UNKNOWN],
        "Caveats and Recommendations": [
            f"Check before use that nothing has changed: `course models verify {record.name} "
            f"{record.version}` compares the digest of each file and asks the model "
            f"{len(document['golden']['rows'])} golden rows again."
        ],
    }
    parts = [f"# Model card: {text(record.name)}, version {record.version}"]
    for title, lines in sections.items():
        parts.append(f"\n## {title}\n\n" + "\n".join(lines))
    return "\n".join(parts) + "\n"


def text(value: Any) -> str:
    """A text on one line in which Markdown finds no mark-up."""
    return re.sub(r"([\\`*_{}\[\]<>#|!$~&])", r"\\\1", " ".join(str(value).split()))


def number(value: float | None) -> str:
    """A number for people."""
    return "unknown" if value is None else f"{value:.4g}"


def facts(record: Record) -> dict[str, str]:
    """What versions are compared by."""
    document = record.document
    scores, trained = document["metrics"], document["trained"]
    told = {k: number(v) for k, v in scores["computed"].items()}
    told |= {f"{key} (given)": str(value) for key, value in scores["given"].items()}
    told |= {key: str(value) for key, value in document["configuration"]["given"].items()}
    for role in ("training", "testing"):
        data = document["data"][role]
        told[f"{role} data"] = f"{data['rows']:,} rows, {data['sha256'][:12]}" if data else "–"
    return told | {
        "features": ", ".join(document["model"]["features"]),
        "target": document["model"]["target"],
        "weightiest": ", ".join(e["name"] for e in document["importance"]["features"][:3]),
        "parameters": f"{document['parameters']['count']:,}",
        "model file": document["model"]["file"],
        "training": f"{trained['started'] or 'unknown'} to {trained['ended']}",
        "code": f"course {document['code']['course']}, {document['code']['sha256'][:12]}",
        "Python": document["environment"]["python"],
        "packages": document["environment"]["sha256"][:12],
    }


def _details(record: Record) -> list[str]:
    document = record.document
    trained, model = document["trained"], document["model"]
    facts = {
        "Trained by": trained["by"],
        "Training": f"{trained['started'] or 'unknown'} to {trained['ended']}",
        "Registered": document["registered"],
        "Predicts": f"{model['target']} from {', '.join(model['features'])}",
        "File": f"{model['file']}, {document['parameters']['count']:,} parameters",
        "Code": f"course {document['code']['course']}, {document['code']['commit'] or 'no commit'}",
        "Python": document["environment"]["python"],
    }
    given = document["configuration"]["given"]
    lines = [f"- **{name}**: {text(value)}" for name, value in facts.items()]
    return lines + [f"- {text(key)}: {text(value)}" for key, value in given.items()]


def _metrics(document: dict[str, Any]) -> list[list[str]]:
    scored = document["metrics"]
    told = {f"{name} (given)": value for name, value in scored["given"].items()}
    return [[name, number(value)] for name, value in (scored["computed"] | told).items()]


def _ranges(document: dict[str, Any]) -> list[str]:
    found = document["distributions"]
    rows = [
        [name, *(number(found[name]["training"][key]) for key in ("minimum", "mean", "maximum"))]
        for name in document["model"]["features"]
    ]
    return _table(["feature", "least", "mean", "greatest"], rows)


def _data(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["None was set aside: the metrics are those of the training data."]
    columns = ", ".join(text(name) for name in found["columns"])
    return [f"{found['rows']:,} rows of {columns}.", "", f"SHA-256 `{found['sha256']}`"]


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *([text(cell) for cell in row] for row in rows)]
    return ["", *(f"| {' | '.join(line)} |" for line in lines)]
