"""The part of the lesson about gradient descent: the numbers in the page are those of the C core."""

import numpy as np
import pytest

import fastbp
from fastbp._explain.lesson import descent
from helpers.browser import opened

X, Y = (np.array(numbers)[:, np.newaxis] for numbers in (descent.X, descent.Y))


class Landscape:
    """J and its gradient over the two weights of v tanh(w x), computed by the C core."""

    def __init__(self):
        layers = [1, 1, 1]
        self.net = fastbp.Network(layers, activation="tanh", output_activation="identity", dtype="float64")
        for bias in self.net.biases:
            bias[:] = 0

    def at(self, weights):
        """Return J and [dJ/dw, dJ/dv]."""
        for W, weight in zip(self.net.weights, weights, strict=True):
            W[:] = weight
        loss, gradient = self.net.loss_and_gradients(X, Y)
        return loss, gradient[[0, 2]]

    def walk(self, start, rate, steps):
        """Yield (weights, J) at the start and after each step, up to convergence or divergence."""
        weights = np.array(start)
        for _ in range(steps + 1):
            loss, gradient = self.at(weights)
            yield weights, loss
            if abs(gradient).max() < descent.TOLERANCE or not loss < descent.DIVERGED:
                return
            weights = weights - rate * gradient

    def limit(self, weights):
        """Return 2/lambda of the Hessian."""
        h = 1e-5
        columns = [self.at(weights + h * e)[1] - self.at(weights - h * e)[1] for e in np.eye(2)]
        return 2 / np.linalg.eigvalsh(np.array(columns) / (2 * h)).max()


@pytest.fixture
def landscape():
    return Landscape()


@pytest.fixture(scope="module")
def opened_page(browser, lesson):
    with opened(browser, lesson, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def page(opened_page):
    """The page with nothing walked yet, from the start and with the rate that it opens with."""
    opened_page.evaluate(f"fastbp.state.descent.start = {list(descent.START)}")
    opened_page.select_option("#descent-case", "too small")
    opened_page.select_option("#descent-case", "right")
    return opened_page


def run(page, rate):
    """Choose a rate of the list, run to the end, and return what the page says about it."""
    page.select_option("#descent-case", rate)
    page.click("#descent-run")
    page.wait_for_function("document.getElementById('descent-run').textContent === 'Run'")
    return page.inner_text("#descent-status")


def test_the_rates_do_what_they_are_named_for(landscape):
    walks = {
        name: list(landscape.walk(descent.START, rate, descent.MOST_STEPS))
        for name, rate in descent.RATES.items()
    }
    losses = {name: np.array([loss for _, loss in walk]) for name, walk in walks.items()}
    least = losses["right"][-1]
    assert len(walks["right"]) - 1 == 134
    assert (np.diff(losses["right"]) < 0).all()
    assert len(walks["too small"]) - 1 == len(walks["too large"]) - 1 == descent.MOST_STEPS
    assert (np.diff(losses["too small"]) < 0).all()
    assert losses["too small"][-1] > 10 * least
    assert (np.diff(losses["too large"]) > 0).sum() > 400
    assert losses["too large"][-1] > 4 * least
    assert losses["diverging"][-1] > descent.DIVERGED
    assert len(walks["diverging"]) - 1 == 10


def test_the_limit_parts_the_rates(landscape):
    *_, (bottom, _) = landscape.walk(descent.START, descent.RATES["right"], descent.MOST_STEPS)
    limit = landscape.limit(bottom)
    assert descent.RATES["right"] < limit < descent.RATES["too large"]
    for rate, rests in ((0.759, True), (0.891, False)):  # the rates that the text names
        steps = len(list(landscape.walk(descent.START, rate, descent.MOST_STEPS))) - 1
        assert (rate < limit) == (steps < descent.MOST_STEPS) == rests


def test_a_step_onto_the_plateau_is_not_undone(landscape):
    walk = list(landscape.walk((0.2, -2.0), 0.6, descent.MOST_STEPS))
    assert len(walk) - 1 == descent.MOST_STEPS
    assert walk[-1][0][0] < descent.SPAN[0]


def test_ten_steps_in_the_page_are_those_of_the_c_core(page, landscape):
    for _ in range(10):
        page.click("#descent-step")
    state = page.evaluate("fastbp.state.descent")
    walk = list(landscape.walk(descent.START, descent.RATES["right"], 10))
    assert state["steps"] == 10
    np.testing.assert_allclose(state["path"], [weights for weights, _ in walk], rtol=0, atol=1e-12)
    np.testing.assert_allclose(state["losses"], [loss for _, loss in walk], rtol=0, atol=1e-12)
    np.testing.assert_allclose(state["gradient"], landscape.at(walk[-1][0])[1], rtol=0, atol=1e-12)


def test_the_page_opens_with_a_descent_that_ends_at_the_bottom(browser, lesson, landscape):
    with opened(browser, lesson) as page:
        state = page.evaluate("fastbp.state.descent")
        limit = page.inner_text("#descent-number-bottom")
        assert "Converged after 134 steps: every derivative is below 0.00001." in page.inner_text("#descent")
    assert limit == "0.802"
    assert max(map(abs, landscape.at(state["weights"])[1])) < descent.TOLERANCE
    places = np.linspace(*descent.SPAN, 31)
    assert landscape.at(state["weights"])[0] < min(landscape.at((w, v))[0] for w in places for v in places)
    assert state["limitAtBottom"] == pytest.approx(landscape.limit(np.array(state["weights"])), rel=1e-6)


def test_the_page_tells_how_each_rate_ends(page):
    assert run(page, "too small") == "Not converged after 1000 steps."
    assert run(page, "right").startswith("Converged after 134 steps")
    assert run(page, "too large").startswith("Not converged after 1000 steps. J rose in 4")
    assert run(page, "diverging").startswith("Diverged after 10 steps: J has grown to ")


def test_a_descent_that_has_diverged_goes_no_further(page):
    page.focus("#descent-rate")
    page.keyboard.press("End")
    page.focus("#descent-step")
    for _ in range(40):
        page.keyboard.press("Enter")
    assert page.evaluate("fastbp.state.descent.steps") == 3
    assert page.evaluate("fastbp.state.descent.loss") > descent.DIVERGED
    assert page.inner_text("#descent-status").startswith("Diverged after 3 steps")


def test_the_contour_lines_are_where_the_landscape_has_their_level(page, landscape):
    loops = page.evaluate("fastbp.contours([[0, 2, 0], [2, 4, 2], [0, 2, 0]], 1)")
    assert len(loops) == 4
    assert [0.5, 0] in [point for loop in loops for point in loop]
    labels = page.locator("#descent-map text").all_text_contents()
    assert {"0.5", "1", "2", "4", "8", "16", "weight w", "weight v", "start"} <= set(labels)


def test_keys_and_clicks_choose_the_start(page):
    page.focus("#descent-map")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    state = page.evaluate("fastbp.state.descent")
    assert state["start"] == state["weights"] == [2.3, -0.4]
    assert page.inner_text("#descent-status").startswith("At the start, w = 2.3 and v = \N{MINUS SIGN}0.4.")
    assert state["steps"] == 0
    box = page.locator("#descent-map").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    w, v = page.evaluate("fastbp.state.descent.start")
    assert -1.0 < w < 0.5
    assert 1.0 < v < 2.5
    for _ in range(80):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("fastbp.state.descent.start[1]") == descent.SPAN[0]


def test_a_saddle_is_told_from_a_bottom(page):
    page.focus("#descent-map")
    for key, times in (("ArrowLeft", 25), ("ArrowUp", 5)):
        for _ in range(times):
            page.keyboard.press(key)
    assert page.evaluate("fastbp.state.descent.start") == [0, 0]
    page.click("#descent-run")
    assert "this is a saddle, not a bottom" in page.inner_text("#descent-status")


def test_the_slider_sets_any_rate(page):
    page.focus("#descent-rate")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("fastbp.state.descent.rate") == pytest.approx(10 ** (np.log10(0.6) + 0.01), rel=0.02)
    assert page.input_value("#descent-case") == ""
    assert page.evaluate("fastbp.state.descent.steps") == 0


def test_a_run_can_be_watched_and_stopped(browser, lesson):
    with opened(browser, lesson, viewport={"width": 360, "height": 740}) as page:
        page.select_option("#descent-case", "too small")
        page.click("#descent-run")
        assert page.inner_text("#descent-run") == "Stop"
        page.click("#descent-run")
        steps = page.evaluate("fastbp.state.descent.steps")
        assert 0 < steps < descent.MOST_STEPS
        assert page.inner_text("#descent-status").startswith(f"{steps} step")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
