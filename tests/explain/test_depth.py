"""The lesson's deep networks: what it says of the signal is so, and the page computes it as fastbp does."""

import numpy as np
import pytest

from fastbp import inspect
from fastbp._explain.lesson import depth
from helpers.browser import opened

# The page's numbers: all parameters, and RMS of dJ/dz and mean |f'| of each layer.
FOUND = """(() => {
  const { net, rms, slopes, ratio } = fastbp.state.depth;
  return { parameters: net.parameters, rms, slopes, ratio };
})()"""


def assert_agrees(found, activation, hidden, initializer):
    """Compare the page's numbers with those of a fastbp network with the same weights."""
    net = depth.network(activation, hidden, initializer)
    np.testing.assert_array_equal(found["parameters"], net.parameters)
    X, y = depth.examples()
    rms = [np.sqrt(np.mean(delta**2)) for delta in inspect.deltas(net, X, y)]
    np.testing.assert_allclose(found["rms"], rms, rtol=1e-12)
    assert found["ratio"] == pytest.approx(rms[0] / rms[-1], rel=1e-12)
    states = inspect.diagnose(net, X, y).layers
    np.testing.assert_allclose(found["slopes"], [state.mean_slope for state in states], rtol=1e-12)


def test_sigmoids_lose_the_signal_and_relus_do_not(monkeypatch):
    for seed in (depth.SEED, 0, 1, 2):
        monkeypatch.setattr(depth, "SEED", seed)
        sigmoid, tanh, relu = (
            [depth.ratio(name, hidden) for hidden in depth.SHOWN] for name in ("sigmoid", "tanh", "relu")
        )
        assert all(
            0.15**hidden < ratio < 0.35**hidden for hidden, ratio in zip(depth.SHOWN, sigmoid, strict=True)
        )
        assert sigmoid[-1] < 1e-6
        assert all(0.1 < ratio < 1 for ratio in tanh)
        assert all(0.3 < ratio < 6 for ratio in relu)


def test_weights_have_the_variance_of_their_rule():
    for name, variance in (("glorot", 1 / depth.WIDTH), ("he", 2 / depth.WIDTH)):
        assert np.var(depth.weights(name)) == pytest.approx(variance, rel=0.1)


def test_the_table_has_the_ratios():
    rows = depth.PART.values()["rows"].split("\n")
    for hidden, row in zip(depth.SHOWN, rows, strict=True):
        assert f">{hidden}<" in row
        cells = [cell.split("</td>")[0].replace("\N{MINUS SIGN}", "-") for cell in row.split("<td>")[1:]]
        ratios = [depth.ratio(activation, hidden) for activation in depth.SUITED]
        np.testing.assert_allclose([float(cell) for cell in cells], ratios, rtol=0.05)


def test_numbers_are_those_of_fastbp(browser, lesson):
    with opened(browser, lesson) as page:
        for activation, suited in depth.SUITED.items():
            page.select_option("#depth-activation", activation)
            assert page.locator("#depth-initializer").input_value() == suited
            for hidden in (1, 4, depth.DEEPEST):
                page.locator("#depth-depth").fill(str(hidden))
                assert_agrees(page.evaluate(FOUND), activation, hidden, suited)
        page.select_option("#depth-initializer", "glorot")
        assert_agrees(page.evaluate(FOUND), "relu", depth.DEEPEST, "glorot")


def test_a_bar_per_layer_on_a_logarithmic_scale(browser, lesson):
    with opened(browser, lesson) as page:
        rms = np.array(page.evaluate(FOUND)["rms"])
        rows = page.locator("#depth-layers tr")
        assert rows.count() == depth.DEEPEST + 1
        assert rows.locator("th").all_inner_texts() == [*map(str, range(1, depth.DEEPEST + 1)), "output"]
        percents = "(bars) => bars.map((bar) => bar.width.baseVal.valueInSpecifiedUnits)"
        widths = page.locator("#depth-layers rect").evaluate_all(percents)
        slope, intercept = np.polyfit(np.log10(rms / rms[-1]), widths, 1)
        np.testing.assert_allclose(widths, slope * np.log10(rms / rms[-1]) + intercept, atol=0.01)
        numbers = [
            text.replace("\N{MINUS SIGN}", "-") for text in rows.locator("td:nth-child(3)").all_inner_texts()
        ]
        np.testing.assert_allclose([float(number) for number in numbers], rms / rms[-1], rtol=0.05)


def test_the_keyboard_changes_the_depth(browser, lesson):
    with opened(browser, lesson) as page:
        verdict = page.locator("#depth-verdict")
        assert "10 hidden layers" in verdict.inner_text()
        page.locator("#depth-depth").focus()
        page.keyboard.press("Home")
        assert "sigmoid and one hidden layer," in verdict.inner_text()
        assert page.locator("#depth-layers tr").count() == 2
        page.keyboard.press("ArrowRight")
        assert "2 hidden layers" in verdict.inner_text()
        assert page.locator("#depth-shown").inner_text() == "2"


def test_nothing_is_wider_than_a_phone(browser, lesson):
    with opened(browser, lesson, viewport={"width": 360, "height": 740}) as page:
        for section in ("depth", "linear-stack"):
            parts = page.locator(f"#{section} > :not(.wide)")  # .wide scrolls by itself
            assert max(parts.evaluate_all("(parts) => parts.map((part) => part.scrollWidth)")) <= 360
