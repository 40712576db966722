"""The cars that other tests send are valid, many and the same each time."""

from course_utils.inference import FeatureSchema
from tests.support.cars import cars
from tests.support.serving import MODEL


def test_cars_are_valid_all_different_and_the_same_for_a_seed():
    made = cars(1_000, seed=1)
    schema = FeatureSchema.load(MODEL.with_name("mpg.schema.json"))
    assert [schema.validate(car) for car in made] == made
    assert [*made[0]] == schema.names
    assert len({tuple(car.values()) for car in made}) == 1_000
    assert {car["origin"] for car in made} == {1, 2, 3}
    assert cars(1_000, seed=1) == made
    assert cars(1_000, seed=2) != made
