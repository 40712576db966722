"""Batch prediction of a million rows against the network's own vectorised speed.

    python -m benchmarks.batch [--rows 1000000] [--rounds 5]

The network alone gets all rows as one array: in one call of LiteRT, and of Keras in each of its
ways. Our predict step is what a batch spends in the network, over all its chunks. They are
measured in turns, and of each the least time counts: what else runs on the machine only ever adds.
Each batch is a process of its own, whose peak of memory Linux tells.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.serving import MODEL, ROOT

TARGET = 1.2
SUFFIXES = (".csv", ".parquet")
Alone = dict[str, Callable[[], Any]]


def write(folder: Path, rows: int) -> np.ndarray:
    """The same cars as CSV and as Parquet; their features as one array."""
    import duckdb

    schema = json.loads(MODEL.with_name("mpg.schema.json").read_text())["properties"]
    cells = []
    for place, (name, part) in enumerate(schema.items()):
        low, high = part["minimum"], part["maximum"]
        share = f"hash(row * 8 + {place}) % 1001 / 1000.0"
        if part["type"] == "integer":
            cells.append(f"({low} + floor({share} * {high - low}))::INTEGER AS {name}")
        else:
            cells.append(f"round({low} + {share} * {high - low}, 1)::DOUBLE AS {name}")
    with duckdb.connect() as sql:
        sql.execute(
            f"CREATE VIEW cars AS SELECT 'car ' || row AS name, {', '.join(cells)} "
            f"FROM range({rows}) t(row)"
        )
        for suffix in SUFFIXES:
            sql.execute(f"COPY cars TO '{folder / f'cars{suffix}'}' (FORMAT {suffix[1:]})")
        columns = sql.execute(f"SELECT {', '.join(schema)} FROM cars").fetchnumpy()
    return np.column_stack([columns[name] for name in schema]).astype(np.float32)


def alone(rows: np.ndarray) -> Alone:
    """The network without us, given everything at once, each way it can be asked."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    network = keras.Sequential(
        [
            keras.Input((rows.shape[1],)),
            keras.layers.Normalization(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),
            keras.layers.Rescaling(1.0),
        ]
    )
    network.load_weights(MODEL.with_name("mpg.weights.h5"))
    graph = tf.function(network)

    def litert(threads: int) -> Callable[[], Any]:
        interpreter = Interpreter(model_content=MODEL.read_bytes(), num_threads=threads)
        index = interpreter.get_input_details()[0]["index"]
        output = interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(index, rows.shape)
        interpreter.allocate_tensors()

        def call() -> Any:
            interpreter.set_tensor(index, rows)
            interpreter.invoke()
            return interpreter.get_tensor(output)

        return call

    cores = os.cpu_count() or 1
    return {
        "LiteRT, one thread": litert(1),
        f"LiteRT, {cores} threads": litert(cores),
        "Keras, predict(rows, 65536)": lambda: network.predict(rows, batch_size=65_536, verbose=0),
        "Keras, model(rows)": lambda: network(rows).numpy(),
        "Keras, predict_on_batch(rows)": lambda: network.predict_on_batch(rows),
        "Keras, tf.function": lambda: graph(rows).numpy(),
    }


def batch(source: Path) -> dict[str, float]:
    """One batch in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch", "--child", str(source)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(source: Path) -> None:
    from course_utils.inference import batch, predict_file

    in_network, predict = 0.0, batch.predict_in_blocks

    def measure(*arguments: Any) -> Any:
        nonlocal in_network
        began = time.perf_counter()
        answers = predict(*arguments)
        in_network += time.perf_counter() - began
        return answers

    batch.predict_in_blocks = measure
    target = source.with_name(f"out{source.suffix}")
    found = predict_file(source, target, model=MODEL)
    target.unlink()
    print(json.dumps({"all": found.seconds, "predict": in_network, "peak": peak()}))


def peak() -> float:
    """Resident memory of this process at its peak, in MB; 0 where the system does not say.

    Not ru_maxrss: that of a child begins with its parent's.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), 0)


def benchmark(rows: int, rounds: int) -> bool:
    console = Console()
    times: dict[str, list[float]] = {}
    ours: dict[str, list[dict[str, float]]] = {suffix: [] for suffix in SUFFIXES}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ways = alone(write(folder, rows))
        for way in ways.values():
            way()  # a first call prepares
        for _ in track(range(rounds), "Measuring", console=console):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                times.setdefault(name, []).append(time.perf_counter() - began)
            for suffix in SUFFIXES:
                ours[suffix].append(batch(folder / f"cars{suffix}"))
    fastest = min(map(min, times.values()))
    ratios = {
        suffix: min(run["predict"] for run in runs) / fastest for suffix, runs in ours.items()
    }
    show(console, rows, rounds, times, ours, ratios)
    return max(ratios.values()) <= TARGET


def show(
    console: Console,
    rows: int,
    rounds: int,
    times: dict[str, list[float]],
    ours: dict[str, list[dict[str, float]]],
    ratios: dict[str, float],
) -> None:
    title = f"{rows:,} rows, least of {rounds} rounds, {os.cpu_count()} cores"
    table = Table("what", "seconds", "rows/s", "× fastest", "peak MB", title=title)

    def line(name: str, seconds: float, *more: str) -> None:
        table.add_row(name, f"{seconds:.3f}", f"{rows / seconds:,.0f}", *more)

    for name, found in times.items():
        line(name, min(found))
    for suffix, runs in ours.items():
        least = {key: min(run[key] for run in runs) for key in runs[0]}
        line(f"our predict step, {suffix}", least["predict"], f"{ratios[suffix]:.2f}")
        line(
            f"{suffix} to {suffix}, end to end",
            least["all"],
            "",
            f"{max(run['peak'] for run in runs):.0f}",
        )
    console.print(table)
    print(f"Target: {TARGET} × the fastest of the network's own ways")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child)
    elif not benchmark(asked.rows, asked.rounds):
        sys.exit("A target is missed.")


if __name__ == "__main__":
    main()
