"""The features as a strict pydantic model; in a module of its own, so that it can be pickled."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from benchmarks.peers.network import read_features


class Answer(BaseModel):
    id: str
    mpg: float
    errors: list[str]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def make_model() -> Any:
    """The model, from the schema beside the network."""
    kinds = {"integer": int, "number": float}
    fields: dict[str, Any] = {
        name: (kinds[feature["type"]], Field(ge=feature["minimum"], le=feature["maximum"]))
        for name, feature in read_features().items()
    }
    return create_model("Car", __base__=Strict, __module__=__name__, **fields)


Car = make_model()
