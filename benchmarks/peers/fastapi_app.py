"""The MPG and the image service by FastAPI, for uvicorn and Granian."""

import uuid

from fastapi import FastAPI, HTTPException, UploadFile

from benchmarks.peers.network import (
    DUTIES,
    MODEL,
    PHOTO_MODEL,
    Network,
    PhotoClassifier,
)
from benchmarks.peers.pydantic_car import Answer, Car

network = Network(MODEL)
app = FastAPI()
if DUTIES:
    from prometheus_fastapi_instrumentator import Instrumentator

    Instrumentator().instrument(app).expose(app)


# On the event loop: the network takes microseconds, handing over to a thread takes longer.
@app.post("/api/mpg")
async def mpg(car: Car) -> Answer:  # type: ignore[valid-type]
    row = list(car.__dict__.values())
    return Answer(id=str(uuid.uuid4()), mpg=network.predict_mpg(row), errors=[])


@app.get("/readyz")
async def readyz() -> str:
    return "ready"


if PHOTO_MODEL:
    classifier = PhotoClassifier()

    @app.post("/api/image")
    async def classify(image: UploadFile) -> dict[str, list[dict[str, str | float]]]:
        try:
            return {"pred": classifier.classify(await image.read())}
        except OSError as error:
            raise HTTPException(400, "not an image") from error
