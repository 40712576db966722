"""The image service as the chapter writes it: Keras' ``predict`` at each request, Flask's server.

Section 13.1 of "Applications of Deep Neural Networks": the name of the uploaded file has to end in
a known extension; Pillow opens and resizes the photo; MobileNet predicts; the five likeliest
classes go back. The weights are ImageNet's, as `course fetch` brings them.
"""

import argparse
import io
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from flask import Flask, jsonify, request
from PIL import Image
from tensorflow.keras.applications import MobileNet
from tensorflow.keras.applications.mobilenet import decode_predictions, preprocess_input

EXTENSIONS = (".jpg", ".jpeg", ".png")

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--workers", help="Flask's own server has none")
options = parser.parse_args()

app = Flask(__name__)
model = MobileNet(weights="imagenet")


@app.route("/api/image", methods=["POST"])
def classify():
    if "image" not in request.files:
        return jsonify({"errors": ["No image."]})
    upload = request.files["image"]
    if not upload.filename.endswith(EXTENSIONS):
        return jsonify({"errors": ["Not an image."]})
    photo = Image.open(io.BytesIO(upload.read()))
    photo = photo.resize((224, 224), Image.Resampling.LANCZOS)
    x = preprocess_input(np.asarray(photo, np.float32)[np.newaxis])
    best = decode_predictions(model.predict(x), top=5)[0]
    return jsonify({"pred": [{"name": name, "prob": float(prob)} for _, name, prob in best]})


@app.route("/readyz")
def readyz():  # the book has none; the benchmark waits for it
    return "ready"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=options.port, debug=False)
