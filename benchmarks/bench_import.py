"""Importing the library is quick: under 0.2 s more than starting Python alone.

Two commands in turn, in processes of their own; the medians and their difference are printed.
"""

import statistics
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

ROUNDS = 15
LIMIT = 0.2  # seconds


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    codes = {"python alone": "pass", "import course_utils": "import course_utils"}
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(ROUNDS + 1):
        for name, code in codes.items():
            times[name].append(seconds(code))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    table = Table("command", "median (s)", title=f"Importing the library, {ROUNDS} rounds")
    for name, median in medians.items():
        table.add_row(name, f"{median:.3f}")
    difference = medians["import course_utils"] - medians["python alone"]
    table.add_row("difference", f"{difference:.3f}")
    Console().print(table)
    if difference > LIMIT:
        raise SystemExit(f"importing takes {difference:.3f} s, more than {LIMIT} s")


if __name__ == "__main__":
    main()
