"""The part of the lesson about wrong derivatives: its claims hold, its numbers are those of the C core."""

import numpy as np
import pytest

from fastbp import SGD, CustomActivation, Network
from fastbp._explain.lesson import constant_derivative as part
from helpers.browser import opened

LINE = part.best_line()[2]
STATE = "fastbp.state['constant-derivative']"
IDLE = "document.getElementById('constant-derivative-run').textContent.startsWith('Run')"


@pytest.fixture(scope="module")
def errors():
    """Errors after training, by what stands for f', from more starts than the page has."""
    return {slope: np.array([part.error(slope, seed) for seed in range(8)]) for slope in part.SLOPES}


@pytest.fixture(scope="module")
def page(browser, lesson):
    with opened(browser, lesson, reduced_motion="reduce") as page:
        page.wait_for_function(IDLE)
        yield page


def test_only_its_own_derivative_learns_the_curve(errors):
    assert (errors["own"] < 0.04 * LINE).all()
    assert (errors["own"] < errors["zero"]).all()


@pytest.mark.parametrize("slope", ["one", "negated"])
def test_a_wrong_derivative_ends_near_the_line(errors, slope):
    assert (errors[slope] > 0.85 * LINE).all()
    assert (errors[slope] < 1.1 * LINE).all()


def test_no_derivative_does_less_harm_than_a_wrong_one():
    embedded = {slope: [part.error(slope, seed) for seed in part.SEEDS] for slope in ("zero", "one")}
    assert max(embedded["zero"]) < min(embedded["one"])


def test_without_a_derivative_the_hidden_layer_stays():
    net = part.network("zero", 0)
    before = net.parameters.copy()
    net.fit(part.X, part.Y, epochs=10, batch_size=len(part.X))
    hidden = 2 * part.UNITS
    np.testing.assert_array_equal(net.parameters[:hidden], before[:hidden])
    assert (net.parameters[hidden:] != before[hidden:]).any()


def test_a_derivative_of_one_tells_the_hidden_units_two_means():
    net = part.network("one", 3)
    gradient = net.loss_and_gradients(part.X, part.Y)[1]
    error = net.predict(part.X) - part.Y
    v = net.weights[1][:, 0]
    np.testing.assert_allclose(gradient[: part.UNITS], v * np.mean(2 * error * part.X), rtol=1e-10)
    np.testing.assert_allclose(gradient[part.UNITS : 2 * part.UNITS], v * np.mean(2 * error), atol=1e-14)
    slope, intercept, _ = part.best_line()
    error = slope * part.X + intercept - part.Y
    np.testing.assert_allclose([np.mean(error), np.mean(error * part.X)], 0, atol=1e-14)


@pytest.mark.parametrize("slope", [1, 0, -1])
def test_units_that_are_lines_end_at_the_best_line(slope):
    line = CustomActivation(np.array, lambda z: np.full_like(z, slope))
    options = {"optimizer": SGD(part.RATE), "dtype": "float64", "seed": 0}
    net = Network([1, part.UNITS, 1], activation=line, output_activation="identity", **options)
    net.fit(part.X, part.Y, epochs=part.STEPS, batch_size=len(part.X))
    assert net.evaluate(part.X, part.Y)["loss"] == pytest.approx(LINE, rel=1e-3)


def test_the_table_has_the_errors_of_all_starts():
    rows = part.rows()
    assert rows.count("<tr>") == len(part.SLOPES) + 1
    own = [part.error("own", seed) for seed in part.SEEDS]
    cells = "".join(f'<td class="number">{number:.3f}</td>' for number in (min(own), max(own)))
    assert f'<tr><th class="text" scope="row">{part.LABELS["own"]}</th>{cells}</tr>' in rows


def test_ten_steps_in_the_page_are_those_of_the_c_core(page):
    page.select_option("#constant-derivative-activation", "tanh")
    page.click("#constant-derivative-other")
    start = page.evaluate(f"{STATE}.start")
    page.click("#constant-derivative-step")
    losses = page.evaluate(f"{STATE}.losses")
    for slope in part.SLOPES:
        net = part.network(slope, part.SEEDS[start])
        expected = [net.evaluate(part.X, part.Y)["loss"]]
        for _ in range(10):
            net.train_on_batch(part.X, part.Y)
            expected.append(net.evaluate(part.X, part.Y)["loss"])
        parameters = page.evaluate(f"{STATE}.nets.{slope}.parameters")
        np.testing.assert_allclose(parameters, net.parameters, rtol=0, atol=1e-12)
        np.testing.assert_allclose(losses[slope], expected, rtol=0, atol=1e-12)


def test_the_page_trains_the_networks(page):
    page.select_option("#constant-derivative-activation", "tanh")
    page.evaluate(f"{STATE}.start = 0")
    page.click("#constant-derivative-reset")
    page.click("#constant-derivative-run")
    page.wait_for_function(IDLE)
    assert page.inner_text("#constant-derivative-status") == "Start 1 of 5, after 1000 steps."
    for slope in part.SLOPES:
        loss = page.evaluate(f"{STATE}.losses.{slope}.at(-1)")
        assert loss == pytest.approx(part.error(slope, 0), rel=1e-6)
    rows = page.locator("#constant-derivative-numbers tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == [*part.LABELS.values(), "best line"]
    assert rows[2].split("\t")[-1] == "0"  # with 0 the hidden layer has not moved
    assert page.locator("#constant-derivative-fits figure").count() == 4
    assert "J = 0.417 (best line, thin: 0.428)" in page.inner_text("#constant-derivative-fits")
    texts = page.locator("#constant-derivative-losses text").all_text_contents()
    assert {*part.LABELS.values(), "line", "steps", "error J"} <= set(texts)


def test_many_runs_one_after_another_are_drawn(page):
    page.evaluate(f"""() => {{
        const state = {STATE};
        for (const name in state.losses) state.losses[name] = Array(50001).fill(state.losses[name].at(-1));
        state.steps = 50000;
    }}""")
    page.click("#constant-derivative-step")
    assert page.inner_text("#constant-derivative-status").endswith("after 50010 steps.")
    curves = "each => each.map(one => one.getAttribute('d').length)"
    assert max(page.eval_on_selector_all("#constant-derivative-losses .curve", curves)) < 20_000
    page.click("#constant-derivative-reset")
    course = page.evaluate(
        "[1, 400, 401, 50001].map(n => fastbp.course(Array.from({ length: n }, (_, k) => -k)))"
    )
    for n, points in zip((1, 400, 401, 50001), course, strict=True):
        assert points[0] == [0, 0]
        assert points[-1] == [n - 1, 1 - n]
        assert all(loss == -step for step, loss in points)
        assert min(n, 200) <= len(points) <= 401


def test_one_step_is_one_step(browser, lesson):
    with opened(browser, lesson) as page:
        page.click("#constant-derivative-reset")
        page.evaluate("for (const _ of [1, 2]) document.getElementById('constant-derivative-run').click()")
        assert page.inner_text("#constant-derivative-status") == "Start 1 of 5, after 1 step."


def test_other_functions_start_from_the_same_weights(page):
    page.select_option("#constant-derivative-activation", "step")
    page.click("#constant-derivative-step")
    state = page.evaluate(f"({{ losses: {STATE}.losses, steps: {STATE}.steps }})")
    assert state["steps"] == 10
    assert state["losses"]["own"] == state["losses"]["zero"]
    assert state["losses"]["own"] != state["losses"]["one"]
    seed = part.SEEDS[page.evaluate(f"{STATE}.start")]
    hidden = page.evaluate(f"{STATE}.nets.own.parameters")[: part.UNITS]
    assert hidden == part.network("own", seed).parameters[: part.UNITS].tolist()
    page.click("#constant-derivative-reset")
    assert page.inner_text("#constant-derivative-status") == f"Start {seed + 1} of 5, after 0 steps."


def test_the_keyboard_suffices_on_a_phone(browser, lesson):
    options = {"viewport": {"width": 360, "height": 740}, "reduced_motion": "reduce"}
    with opened(browser, lesson, **options) as page:
        page.wait_for_function(IDLE)
        page.focus("#constant-derivative-activation")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate(f"{STATE}.steps") == part.STEPS + 10
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
