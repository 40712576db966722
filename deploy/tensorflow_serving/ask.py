"""Send the same 1,000 cars to TensorFlow Serving and to our service, and compare the answers.

    python -m deploy.tensorflow_serving.ask

from the root of the checkout. Exits with an error where an answer differs by more than 1e-5.
"""

import argparse
import sys
from typing import Any

import numpy as np
import requests

from tests.support.cars import cars

TOLERANCE = 1e-5  # of the answer
SECONDS = 10  # for one request


def ask_serving(url: str, rows: list[list[float]]) -> np.ndarray:
    """Miles per gallon by TensorFlow Serving, all rows in one request (its REST API)."""
    answer = post(f"{url}/v1/models/mpg:predict", {"instances": rows}, "TensorFlow Serving")
    return np.array(answer["predictions"], np.float64)[:, 0]


def ask_service(url: str, examples: list[dict[str, Any]]) -> np.ndarray:
    """Miles per gallon by `course serve mpg`, a request a car."""
    with requests.Session() as session:
        answers = [post(f"{url}/api/mpg", car, "our service", session) for car in examples]
    return np.array([answer["mpg"] for answer in answers])


def post(url: str, body: Any, who: str, session: Any = requests) -> Any:
    """The answer to a POST.

    Raises:
        SystemExit: there is none, or it is a refusal; with what to do.
    """
    try:
        answer = session.post(url, json=body, timeout=SECONDS)
    except requests.RequestException as error:
        raise SystemExit(
            f"Nothing answers at {url} ({type(error).__name__}): {who} does not run there. "
            "deploy/tensorflow_serving/README.md says how to start both."
        ) from None
    if answer.status_code != 200:
        raise SystemExit(f"{who} refused with {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def main(arguments: list[str] | None = None) -> None:
    """Ask both and say how far they are apart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--serving", default="http://127.0.0.1:8501")
    parser.add_argument("--service", default="http://127.0.0.1:5000")
    parser.add_argument("--rows", type=int, default=1_000)
    options = parser.parse_args(arguments)
    examples = cars(options.rows, seed=1)
    theirs = ask_serving(options.serving, [[*car.values()] for car in examples])
    ours = ask_service(options.service, examples)
    furthest = float(np.max(np.abs(theirs - ours) / np.abs(ours)))
    print(f"{len(ours):,} cars, answers at most {furthest:.1e} apart (allowed: {TOLERANCE:.0e})")
    if not furthest <= TOLERANCE:  # nor is NaN
        sys.exit("TensorFlow Serving and our service do not compute the same.")


if __name__ == "__main__":
    main()
