"""The MPG service as the chapter writes it: Keras' ``predict`` at each request, Flask's own server.

Section 13.1 of "Applications of Deep Neural Networks": the model is loaded once, each request
checks the fields against their ranges, builds a row and calls ``model.predict``. The network is
the chapter's; its weights are as they begin, for they do not change how long it takes.
"""

import argparse
import os
import uuid

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from flask import Flask, jsonify, request
from tensorflow.keras.layers import Dense, Input
from tensorflow.keras.models import Sequential

EXPECTED = {
    "cylinders": {"min": 3, "max": 8},
    "displacement": {"min": 68.0, "max": 455.0},
    "horsepower": {"min": 46.0, "max": 230.0},
    "weight": {"min": 1613, "max": 5140},
    "acceleration": {"min": 8.0, "max": 24.8},
    "year": {"min": 70, "max": 82},
    "origin": {"min": 1, "max": 3},
}

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--workers", help="Flask's own server has none")
options = parser.parse_args()

app = Flask(__name__)
model = Sequential(
    [Input((7,)), Dense(25, activation="relu"), Dense(10, activation="relu"), Dense(1)]
)


@app.route("/api/mpg", methods=["POST"])
def calc_mpg():
    content = request.json
    errors = []
    for name in content:
        if name not in EXPECTED:
            errors.append(f"Unexpected field: {name}.")
        else:
            low, high = EXPECTED[name]["min"], EXPECTED[name]["max"]
            if content[name] < low or content[name] > high:
                errors.append(f"Out of bounds: {name}, has value of: {content[name]}.")
    errors += [f"Missing value: {name}." for name in EXPECTED if name not in content]
    if errors:
        return jsonify({"id": str(uuid.uuid4()), "errors": errors})
    x = np.zeros((1, 7))
    for position, name in enumerate(EXPECTED):
        x[0, position] = content[name]
    prediction = model.predict(x)
    return jsonify({"id": str(uuid.uuid4()), "mpg": float(prediction[0][0]), "errors": errors})


@app.route("/readyz")
def readyz():  # the book has none; the benchmark waits for it
    return "ready"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=options.port, debug=False)
