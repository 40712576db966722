"""What is kept of each version of a model: the form of ``record.json``.

`RecordDocument.model_json_schema` gives it as JSON Schema. Records of version 0.1.0 have a few
more fields, which are passed over.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictFloat, StrictInt

FORMAT: Literal[1] = 1  # of record.json; another number is refused

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256")]
Role = Literal["training", "testing"]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$", description="ISO 8601")]


class Training(BaseModel):
    """Who trained the model, and when."""

    by: str = Field(pattern="^[^@]*$", description="user name, never an address")
    started: Time | None
    ended: Time


class ServedModel(BaseModel):
    """The file to serve, and what it predicts from what."""

    file: str
    features: list[str] = Field(min_length=1)
    target: str


class Configuration(BaseModel):
    """How the model was trained, as the caller said it."""

    given: dict[str, Any]


class TableSummary(BaseModel):
    """A table; its digest is that of `content.hash_table`."""

    rows: Count
    columns: list[str]
    sha256: Digest


class Data(BaseModel):
    """The tables that the model was trained on and measured on."""

    training: TableSummary
    testing: TableSummary | None = None


class Distribution(BaseModel):
    """Of a column's finite values; None where there are none, or where it is not finite."""

    count: Count
    missing: Count
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    quantiles: dict[str, float | None]


class Column(BaseModel):
    """A feature or the target, in both tables."""

    training: Distribution
    testing: Distribution | None = None


class Parameters(BaseModel):
    """How many numbers the network has learned, by its file."""

    source: str
    count: Count


class Code(BaseModel):
    """The version of the course that registered the model."""

    course: str


class Environment(BaseModel):
    """What the model was registered with."""

    python: str
    system: str
    packages: dict[str, str]


class Scores(BaseModel):
    """Root mean squared error, mean absolute error, coefficient of determination."""

    rmse: float
    mae: float
    r2: float | None = Field(description="None where the truth is always the same")


class Metrics(BaseModel):
    """How good the model is, on ``count`` rows of a table."""

    rows: Role
    count: int = Field(ge=1)
    computed: Scores
    given: dict[str, StrictFloat | StrictInt | None]


class FeatureImportance(BaseModel):
    """By how much the RMSE rises where the feature's values are shuffled."""

    name: str
    mean: float
    std: float


class Importance(BaseModel):
    """The features, the most important first."""

    rows: Role
    repeats: int
    seed: int
    features: list[FeatureImportance]


class GoldenRow(BaseModel):
    """A row, and what the model predicted for it when it was registered."""

    features: list[float]
    prediction: float


class Golden(BaseModel):
    """Rows that `registry.verify` lets the model predict again."""

    tolerance: float = Field(gt=0, description="relative, at least absolute")
    rows: list[GoldenRow] = Field(min_length=1)


class Chart(BaseModel):
    """A picture in the folder ``charts``."""

    file: str
    title: str


class KeptFile(BaseModel):
    """A file of the record."""

    path: str = Field(pattern=r"^(files|charts)/[^/\\]+$")
    sha256: Digest
    bytes: Count


class RecordDocument(BaseModel):
    """The record of one version of a model."""

    name: str
    notes: str = ""
    format: Literal[1] = FORMAT
    registered: Time
    trained: Training
    model: ServedModel
    configuration: Configuration
    data: Data
    distributions: dict[str, Column]
    parameters: Parameters
    code: Code
    environment: Environment
    metrics: Metrics
    importance: Importance
    golden: Golden
    charts: list[Chart]
    files: list[KeptFile]
    version: int = Field(ge=1)
