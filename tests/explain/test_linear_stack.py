"""The lesson's stack of linear layers: what it says is so, and the page computes it as fastbp does."""

import re

import numpy as np
import pytest

from fastbp import inspect
from fastbp._explain.lesson import linear_stack
from helpers.browser import opened

TICKS = np.arange(-3, 4) / 3
GRID = np.array([(a, b) for a in TICKS for b in TICKS])  # (49, 2)
# what the page has computed, with all numbers of the two networks
FOUND = """(() => {
  const { stack, one, line, ...numbers } = fastbp.state["linear-stack"];
  return { stack: stack.parameters, one: one.parameters, line: line.parameters, ...numbers };
})()"""


def like(found, activation):
    """Return a network with the page's numbers."""
    net = linear_stack.stack(activation)
    net.parameters[:] = found["stack"]
    return net


def nearest(net):
    """Return W and b, (3, 2), of the linear layer nearest to a network on the grid."""
    return np.linalg.lstsq(np.column_stack([GRID, np.ones(len(GRID))]), net.predict(GRID), rcond=None)[0]


def assert_agrees(found, activation):
    """Compare the page's numbers with fastbp's."""
    net = like(found, activation)
    linear = like(found, "identity")
    one = inspect.fold_linear(linear)
    np.testing.assert_allclose(found["one"], one.parameters, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["line"], nearest(net).ravel(), rtol=1e-12, atol=1e-12)
    outputs = net.predict(GRID)
    line = np.column_stack([GRID, np.ones(len(GRID))]) @ nearest(net)
    assert found["difference"] == pytest.approx(np.abs(outputs - one.predict(GRID)).max(), abs=1e-12)
    assert found["miss"] == pytest.approx(np.abs(outputs - line).max(), abs=1e-12)
    derivatives = inspect.jacobian(net, GRID)[:, 0, 0]
    np.testing.assert_allclose(found["derivatives"], derivatives, rtol=1e-12, atol=1e-12)


def test_the_table_has_the_folded_layer():
    values, one = linear_stack.PART.values(), inspect.fold_linear(linear_stack.stack())
    shown = [float(text) for text in re.findall(r">(-?\d\.\d+)</output>", values["one"])]
    np.testing.assert_allclose(shown, one.parameters, atol=5e-4)
    assert values["n_one"] == str(one.n_parameters)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_no_single_layer_is_the_stack_with_a_bend(activation):
    net = linear_stack.stack(activation)
    line = np.column_stack([GRID, np.ones(len(GRID))]) @ nearest(net)
    assert np.abs(net.predict(GRID) - line).max() > 0.04
    assert np.ptp(inspect.jacobian(net, GRID)[:, 0, 0]) > 0.1


def test_numbers_are_those_of_fastbp(browser, lesson):
    with opened(browser, lesson) as page:
        for activation in ("identity", "tanh", "relu"):
            page.select_option("#linear-stack-activation", activation)
            assert_agrees(page.evaluate(FOUND), activation)
        page.get_by_label("layer 2, input 3, unit 1").fill("-2.35")
        found = page.evaluate(FOUND)
        assert -2.35 in found["stack"]
        assert_agrees(found, "relu")


def test_the_rings_are_on_the_lines_until_a_bend_comes(browser, lesson):
    with opened(browser, lesson) as page:
        verdict = page.locator("#linear-stack-verdict")
        assert page.evaluate(FOUND)["difference"] < 1e-14
        assert "that is rounding" in verdict.inner_text()

        def corners():
            """Return where the corner (1, 1) is: its ring, which is the last one, and its dot."""
            marks = page.locator("#linear-stack-outputs .mark")
            return marks.evaluate_all("(marks) => marks.slice(-2).map((mark) => mark.cx.baseVal.value)")

        ring, dot = corners()
        assert ring == pytest.approx(dot, abs=1e-3)
        page.select_option("#linear-stack-activation", "tanh")
        ring, dot = corners()
        assert abs(ring - dot) > 20
        assert re.search(r"tanh.* differ by up to 1\.6\.", verdict.inner_text())


def test_the_keyboard_changes_weights_and_a_button_brings_them_back(browser, lesson):
    with opened(browser, lesson) as page:
        before = page.evaluate(FOUND)
        field = page.get_by_label("layer 1, input 1, unit 1")
        field.focus()
        page.keyboard.press("ArrowUp")
        assert page.evaluate(FOUND)["stack"][0] == pytest.approx(linear_stack.FIRST[0][0][0] + 0.1)
        shown = page.get_by_label("one layer, input 1, unit 1").inner_text()
        assert float(shown) == pytest.approx(page.evaluate(FOUND)["one"][0], abs=5e-4)
        for wrong in ("", "99"):
            field.fill(wrong)
            assert page.locator("#linear-stack-verdict").inner_text().startswith("Each weight must be")
        page.locator("#linear-stack button").press("Enter")
        page.wait_for_function(f"fastbp.state['linear-stack'].stack.parameters[0] === {before['stack'][0]}")
        assert page.evaluate(FOUND) == before
