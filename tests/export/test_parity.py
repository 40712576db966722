"""What a comparison says: where the largest difference is, and that no number is no pass."""

import json

import numpy as np
import pytest

from course_utils.export.parity import (
    Parity,
    Tolerance,
    agreement,
    are_probabilities,
    check,
    compare,
    logits_of,
)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


LOGITS = np.random.default_rng(0).normal(0, 8, (5, 4))
RIGHT = softmax(LOGITS)


def test_logits_come_back_from_probabilities():
    centred = LOGITS - LOGITS.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits_of(RIGHT), centred, atol=1e-9)


def test_it_says_where():
    got = RIGHT.copy()
    got[3, 2] += 0.5
    found = check("probabilities", got, RIGHT, 1e-3, labels=["a", "b", "c", "d"])
    assert not found.passed
    assert (found.sample, found.output) == (3, "c")
    assert found.difference == pytest.approx(0.5)
    assert "sample 3, c" in str(found)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_never_passes(number):
    got = RIGHT.copy()
    got[1, 0] = number
    checks = compare(got, RIGHT, Tolerance(1e9, 1e9))
    assert not checks[0].passed
    assert (checks[0].sample, checks[0].output) == (1, "output 0")


def test_logits_show_what_probabilities_hide():
    wrong = LOGITS.copy()
    least = wrong[0].argmin()
    wrong[0, least] -= 1
    probabilities, logits = compare(softmax(wrong), RIGHT, Tolerance(1e-2, 1e-3))
    assert probabilities.passed
    assert not logits.passed
    assert (logits.sample, logits.output) == (0, f"output {least}")


def test_answers_that_are_no_probabilities_are_compared_with_their_size():
    wanted = np.array([[100.0], [0.0], [-50.0]])
    (found,) = compare(wanted + np.array([[0.1], [0.001], [0]]), wanted, Tolerance(0, 1e-2))
    assert found.what == "outputs"
    assert found.passed
    assert not are_probabilities(wanted)
    assert agreement(wanted, wanted) is None


def test_a_parity_is_a_sentence_and_plain_data():
    got = RIGHT[::-1]
    checks = tuple(compare(got, RIGHT, Tolerance(1e-5, 1e-5)))
    parity = Parity("net.onnx", "a runtime", "float32", 5, checks, agreement(got, RIGHT), "there")
    assert not parity.passed
    assert parity.worst in checks
    assert str(parity).startswith("net.onnx (float32, a runtime) DOES NOT compute")
    data = json.loads(json.dumps(parity.to_dict()))
    assert data["passed"] is False
    assert data["checks"][0]["what"] == "probabilities"
    same = np.mean(got.argmax(axis=1) == RIGHT.argmax(axis=1))
    assert data["agreement"] == same
