"""A stand-in for TensorFlow Serving, whose image needs Docker: its REST protocol on one network.

It loads a real SavedModel from a folder of versions and asks its signature. Protocol: "RESTful API"
in TensorFlow Serving's documentation. Unlike the real one it looks for versions at each request.
"""

from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request

from deploy.tensorflow_serving.export import find_newest
from tests.support.savedmodels import SIGNATURE, load_savedmodel


def create_app(folder: Path) -> Flask:
    """Serve ``folder``, ``.../NAME``, which holds a folder for each version."""
    app = Flask(__name__, static_folder=None)
    loaded: dict[int, Any] = {}
    name = folder.name

    @app.get(f"/v1/models/{name}")
    def status() -> Any:
        state = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return jsonify(model_version_status=[{"version": str(find_newest(folder)), **state}])

    @app.post(f"/v1/models/{name}:predict")
    @app.post(f"/v1/models/{name}/versions/<int:version>:predict")
    def predict(version: int | None = None) -> Any:
        number = version or find_newest(folder)
        if not (folder / str(number)).is_dir():
            return jsonify(error=f"Servable not found for request: Specific({name}, {number})"), 404
        body = request.get_json()
        if not isinstance(body, dict) or "instances" not in body:
            return jsonify(error="Missing 'inputs' or 'instances' key"), 400
        if body.get("signature_name", SIGNATURE) != SIGNATURE:
            return jsonify(error="Serving signature name not found in signature def"), 400
        if number not in loaded:
            loaded[number] = load_savedmodel(folder / str(number))
        try:
            answers = loaded[number](body["instances"])
        except Exception as error:  # TensorFlow raises what the rows make it raise
            return jsonify(error=str(error)), 400
        return jsonify(predictions=answers.tolist())

    return app
