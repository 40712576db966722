"""Exercises of notebook 11."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, make_folder, serving


def split_by_group(table: Any, share: float) -> tuple[Any, Any]:
    """Two tables without a common group; the second has about that share of the groups."""
    groups = table["group"].unique()
    chosen = table["group"].isin(groups[: round(share * len(groups))])
    return table[~chosen], table[chosen]


def _test_split(answer: Callable[[Any, float], tuple[Any, Any]]) -> None:
    import pandas as pd

    for share, wanted in ((0.25, 2), (0.5, 4)):
        table = pd.DataFrame({"file": range(40), "group": [f"g{k % 8}" for k in range(40)]})
        training, validation = answer(table.copy(), share)
        assert sorted([*training["file"], *validation["file"]]) == list(range(40)), (
            "each row should be in exactly one of the two tables."
        )
        common = sorted(set(training["group"]) & set(validation["group"]))
        assert not common, f"the groups {', '.join(common)} are in both tables."
        got = validation["group"].nunique()
        assert got == wanted, f"the second table should have {wanted} of 8 groups, not {got}."


split = Exercise(
    test=_test_split,
    solve=split_by_group,
    hints=(
        "Choose groups, not rows: round(share * number of groups) of set(table['group']).",
        "chosen = table['group'].isin(second) is True for the rows of the groups in second.",
    ),
)


def top_k_recalls(truth: Any, probabilities: Any, k: int) -> dict[int, float]:
    """By class: the share of its pictures for which it is among the k likeliest classes."""
    likeliest = (-probabilities).argsort(axis=1)[:, :k]
    found = (likeliest == truth[:, None]).any(axis=1)
    return {int(c): float(found[truth == c].mean()) for c in set(truth.tolist())}


def _test_recalls(answer: Callable[[Any, Any, int], dict[int, float]]) -> None:
    import numpy as np

    truth = np.array([0, 0, 0, 0, 2])
    rows = [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.6, 0.3], [0.5, 0.4, 0.1], [0.2, 0.5, 0.3]]
    for k, wanted in ((1, {0: 0.5, 2: 0.0}), (2, {0: 0.75, 2: 1.0}), (3, {0: 1.0, 2: 1.0})):
        got = answer(truth.copy(), np.array(rows), k)
        assert got == wanted, f"for k = {k} the recalls should be {wanted}, not {got}."


recalls = Exercise(
    test=_test_recalls,
    solve=top_k_recalls,
    hints=(
        "likeliest = (-probabilities).argsort(axis=1)[:, :k] has k classes per picture.",
        "found = (likeliest == truth[:, None]).any(axis=1); class c: found[truth == c].mean().",
    ),
)


def recalls_of_service(url: str, folder: Any) -> dict[str, float]:
    """By class: the share of the pictures in its sub-folder for which the service names it."""
    import requests

    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        first = []
        for file in place.iterdir():
            response = requests.post(url, files={"image": file.read_bytes()}, timeout=30)
            first.append(response.ok and response.json()["pred"][0]["name"] == place.name)
        found[place.name] = sum(first) / len(first)
    return found


def _test_service(answer: Callable[[str, Any], dict[str, float]]) -> None:
    from course_utils.exercises.image_api import _draw_color, _name_colors

    files = {"red/4.png": b"no image"}
    for label, colors in {"red": "red red red blue", "blue": "blue red"}.items():
        for number, color in enumerate(colors.split()):
            files[f"{label}/{number}.png"] = _draw_color(color)
    with make_folder(files) as folder, serving(_name_colors()) as url:
        got = answer(f"{url}/api/image", folder)
    assert got == {"red": 0.6, "blue": 0.5}, (
        "of red 3 answers are right, 1 is wrong, and 1 file is refused: 0.6. Of blue 1 of 2 is "
        f"right: 0.5. You returned {got!r}."
    )


service = Exercise(
    test=_test_service,
    solve=recalls_of_service,
    hints=(
        "For each file: requests.post(url, files={'image': file.read_bytes()}, timeout=30).",
        "Count it where response.ok and response.json()['pred'][0]['name'] == place.name.",
    ),
)
