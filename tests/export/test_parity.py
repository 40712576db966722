"""What a comparison says: where the largest difference is, and that no number is no pass."""

import numpy as np
import pytest

from course_utils.export.parity import (
    Parity,
    Tolerance,
    compare_answers,
    is_classifier,
    make_check,
    measure_agreement,
    recover_logits,
)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


LOGITS = np.random.default_rng(0).normal(0, 8, (5, 4))
RIGHT = softmax(LOGITS)


def test_logits_come_back_from_probabilities():
    centred = LOGITS - LOGITS.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(recover_logits(RIGHT), centred, atol=1e-9)


def test_it_says_where():
    got = RIGHT.copy()
    got[3, 2] += 0.5
    found = make_check("probabilities", got, RIGHT, 1e-3, labels=["a", "b", "c", "d"])
    assert not found.passed
    assert (found.sample, found.output) == (3, "c")
    assert found.difference == pytest.approx(0.5)
    assert "sample 3, c" in str(found)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_never_passes(number):
    got = RIGHT.copy()
    got[1, 0] = number
    checks = compare_answers(got, RIGHT, Tolerance(1e9, 1e9))
    assert not checks[0].passed
    assert (checks[0].sample, checks[0].output) == (1, "output 0")


def test_logits_show_what_probabilities_hide():
    wrong = LOGITS.copy()
    least = wrong[0].argmin()
    wrong[0, least] -= 1
    probabilities, logits = compare_answers(softmax(wrong), RIGHT, Tolerance(1e-2, 1e-3))
    assert probabilities.passed
    assert not logits.passed
    assert (logits.sample, logits.output) == (0, f"output {least}")


def test_a_unit_in_the_last_place_of_nearly_equal_probabilities_is_no_difference():
    """As an untrained network has them: its logits are as small as what float32 resolves."""
    even = np.array([[0.20000431, 0.19999981, 0.19999921, 0.19999291, 0.20000376]], np.float32)
    for step, passed in ((3e-8, True), (6e-7, False)):
        got = even.copy()
        got[0, 1] += np.float32(step)
        _, logits = compare_answers(got, even, Tolerance(3e-5, 3e-5))
        assert logits.passed == passed, logits


def test_no_tolerance_means_equal():
    for got in (RIGHT, RIGHT[::-1]):
        checks = compare_answers(got, RIGHT, Tolerance(0, 0))
        assert all(check.passed for check in checks) == (got is RIGHT)


def test_answers_that_are_no_probabilities_are_compared_with_their_size():
    wanted = np.array([[100.0], [0.0], [-50.0]])
    (found,) = compare_answers(wanted + np.array([[0.1], [0.001], [0]]), wanted, Tolerance(0, 1e-2))
    assert found.what == "outputs"
    assert found.passed
    assert not is_classifier(wanted)
    assert measure_agreement(wanted, wanted) is None


def test_a_parity_is_a_sentence():
    got = RIGHT[::-1]
    checks = tuple(compare_answers(got, RIGHT, Tolerance(1e-5, 1e-5)))
    share = measure_agreement(got, RIGHT)
    parity = Parity("net.onnx", "float32", 5, checks, share, "there")
    first, *_, likeliest, place = str(parity).splitlines()
    assert first == "net.onnx (float32) DOES NOT compute what Keras does, 5 samples"
    same = np.mean(got.argmax(axis=1) == RIGHT.argmax(axis=1))
    assert likeliest == f"  same likeliest class: {same:.1%}"
    assert place == "  there"
