"""Under ten times more load than it can serve, a service serves what it can and refuses the rest.

Times are judged by benchmarks/overload.py; here counts are.
"""

import pytest

from tests.support.load import CAPACITY, Overload, overload

pytestmark = pytest.mark.thorough

SECONDS = 2.0


@pytest.fixture(scope="module")
def result() -> Overload:
    return overload(seconds=SECONDS, unloaded_seconds=1.5)


def test_without_overload_nobody_is_refused(result: Overload) -> None:
    assert [o.status for o in result.unloaded] == [200] * len(result.unloaded)
    assert len(result.unloaded) >= 5


def test_everybody_gets_an_answer(result: Overload) -> None:
    assert result.others == []
    asked = len(result.accepted) + len(result.refused)
    assert asked == int(CAPACITY * 10 * SECONDS)
    assert result.logged == asked + len(result.unloaded)


def test_the_excess_is_refused_and_told_when_to_come_back(result: Overload) -> None:
    assert len(result.refused) > len(result.accepted)
    assert {o.retry_after for o in result.refused} == {"1"}


def test_the_service_goes_on_serving_at_its_own_pace(result: Overload) -> None:
    # Half of what it can, on a host that is busy with other things; never more than it can.
    assert CAPACITY * SECONDS / 2 < len(result.accepted) < CAPACITY * (SECONDS + 1)


def test_health_is_never_refused(result: Overload) -> None:
    assert [o.status for o in result.health] == [200] * int(20 * SECONDS)
