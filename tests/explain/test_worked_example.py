"""The worked example in a browser: what its buttons, lists and keys do, and whether its text is true."""

import numpy as np
import pytest

from fastbp._explain.lesson.worked_example import INPUTS, START, TARGETS
from helpers.browser import opened

STATE = "fastbp.state['worked-example']"
NAMES = list(START)


START_AGAIN = """() => {
    const settings = {
        "activation-0": "sigmoid", "activation-1": "sigmoid", "slope-0": "own", "slope-1": "own",
        rate: 1, weight: "w14", row: 5,
    };
    for (const [name, value] of Object.entries(settings)) {
        const list = document.getElementById(`worked-${name}`);
        list.value = value;
        list.dispatchEvent(new Event("change"));
    }
    document.getElementById("worked-again").click();
}"""


@pytest.fixture(scope="module")
def opened_page(browser, lesson):
    """The page for a reader who wants no animations: runs are over at once."""
    with opened(browser, lesson, reduced_motion="reduce") as found:
        yield found


@pytest.fixture
def page(opened_page):
    opened_page.evaluate(START_AGAIN)
    return opened_page


def state(page, name):
    return page.evaluate(f"{STATE}.{name}")


def parameters(page):
    return dict(zip(NAMES, state(page, "parameters"), strict=True))


def moved(page):
    return {name for name, value in parameters(page).items() if value != START[name]}


def tried(page, name):
    """Click on one of the proposals and wait for what it does."""
    page.click(f"[data-try={name}]")
    page.wait_for_function(f"!{STATE}.running")
    return page.inner_text("#worked-verdict")


def table(page, name):
    """Return the cells of a table by the head of each row."""
    rows = "each => each.map(row => [...row.children].map(cell => cell.textContent))"
    return {head: cells for head, *cells in page.eval_on_selector_all(f"#worked-{name} tr", rows)}


def cards(page):
    """Return the texts of each factor and of the product: name, number and meaning."""
    texts = "each => each.map(card => [...card.querySelectorAll('.factor > *')].map(one => one.textContent))"
    found = page.eval_on_selector_all("#worked-chain li", texts)
    return [[text.replace("\N{MINUS SIGN}", "-") for text in card] for card in found]


def test_the_page_starts_with_the_numbers_of_the_guide(browser, lesson):
    with opened(browser, lesson) as page:
        assert page.inner_text("#worked-status") == "Step 0: J = 0.6662."
        factors = {name: value for name, value, _ in cards(page)}
        checks = page.inner_text("#worked-sum"), page.inner_text("#worked-measured")
        weights, units, rows = (table(page, name) for name in ("weights", "units", "rows"))
    assert factors == {
        "dJ/dh": "-0.3105",
        "dh/dz6": "0.242",
        "dz6/dy4": "0.7",
        "dy4/dz4": "0.1779",
        "dz4/dw14": "1",
        "dJ/dw14": "-0.009356",
    }
    assert checks == ("0.01864478", "0.01864478")
    shares = {name: weights[name][-1] for name in ("b6", "w46", "w56", "b4")}
    assert shares == {"b6": "34.2 %", "w46": "21.3 %", "w56": "16.6 %", "b4": "7.0 %"}
    assert [units[name][-1] for name in "456"] == ["63.1 %", "36.9 %", "100.0 %"]
    assert rows["6"][:3] == ["1 0 1", "0.9", "0.5895"]


def test_the_true_derivative_learns(page):
    assert tried(page, "own").startswith("They agree")
    assert page.inner_text("#worked-status").startswith("Converged after 1497 steps")
    assert state(page, "steps") == 1497
    assert max(map(abs, state(page, "gradient"))) < 1e-5
    outputs = [cells[2] for cells in table(page, "rows").values()]
    assert np.round([float(h) for h in outputs], 2).tolist() == np.ravel(TARGETS).tolist()
    page.click("#worked-again")
    for _ in range(10):
        page.click("#worked-ten")
    assert (state(page, "steps"), round(state(page, "loss"), 2)) == (100, 0.62)


def test_with_0_only_the_last_layer_learns(page):
    assert "the factors say 0" in tried(page, "zero")
    assert moved(page) == {"w46", "w56", "b6"}
    assert state(page, "steps") == 10


def test_with_1_it_does_not_converge(page):
    assert tried(page, "one").startswith("They differ")
    assert page.inner_text("#worked-status").startswith("Not converged after 20000 steps")
    assert state(page, "loss") > 0.55


def test_with_the_wrong_sign_hidden_weights_go_uphill(page):
    assert "even in sign" in tried(page, "negated")
    assert state(page, "steps") == 10
    for name, slope in zip(NAMES, state(page, "gradient"), strict=True):
        measured = page.evaluate(f"name => {STATE}.measured(name)", name)
        assert (measured * slope > 0) == (name[-1] == "6"), name


def test_a_saturated_unit_has_almost_no_share(page):
    assert round(state(page, "shares.units[0][0]"), 2) == 0.63
    tried(page, "saturated")
    assert moved(page) == {"b4"}
    assert round(state(page, "shares.units[0][0]"), 3) == 0.015


def test_units_that_switch_do_not_learn(page):
    assert tried(page, "step").startswith("They agree: J does not change with w14")
    assert moved(page) == {"w46", "w56", "b6"}


def test_a_run_that_is_seen_can_be_stopped(browser, lesson):
    with opened(browser, lesson) as page:
        page.click("#worked-run")
        page.wait_for_function(f"{STATE}.steps > 3")
        assert page.inner_text("#worked-run") == "Stop"
        page.click("#worked-run")
        steps = state(page, "steps")
        assert steps < 1497
        assert page.inner_text("#worked-status").startswith(f"Step {steps}: J = ")
        assert page.inner_text("#worked-run") == "Run"
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert state(page, "steps") == steps


def test_steps_that_are_too_long_are_told(page):
    page.select_option("#worked-activation-1", "identity")
    page.select_option("#worked-rate", "10")
    page.click("#worked-run")
    page.wait_for_function(f"!{STATE}.running")
    assert page.inner_text("#worked-status").startswith("J is too large")
    page.click("#worked-again")
    assert moved(page) == set()
    assert np.isfinite(state(page, "loss"))


@pytest.mark.parametrize(
    ("hidden", "output"), [("identity", "identity"), ("sine", "identity"), ("leaky_relu", "relu")]
)
def test_numbers_that_are_too_large_are_told_as_such(page, hidden, output):
    page.select_option("#worked-activation-0", hidden)
    page.select_option("#worked-activation-1", output)
    page.select_option("#worked-rate", "10")
    page.click("#worked-run")
    page.wait_for_function(f"!{STATE}.running")
    assert page.inner_text("#worked-status").startswith("J is too large")
    for name in NAMES:
        page.select_option("#worked-weight", name)
        text = page.inner_text("#worked-example")
        assert "NaN" not in text
        assert "Nothing to compare" in text
    assert {cells[-1] for cells in table(page, "weights").values()} == {"\N{EN DASH}"}


def test_rounding_of_a_large_error_is_no_corner(page):
    page.select_option("#worked-activation-1", "identity")
    page.select_option("#worked-rate", "3")
    for _ in range(3):
        page.click("#worked-one")
        for name in NAMES:
            page.select_option("#worked-weight", name)
            assert page.inner_text("#worked-verdict").startswith("They agree"), (name, state(page, "loss"))
    assert state(page, "loss") > 1e4


def test_one_step_is_one_step(page):
    page.select_option("#worked-activation-0", "softplus")
    page.select_option("#worked-activation-1", "relu")
    page.select_option("#worked-rate", "3")
    page.click("#worked-run")
    page.wait_for_function(f"!{STATE}.running")
    assert page.inner_text("#worked-status").startswith("Converged after 1 step:")


def test_the_slider_reaches_as_far_under_the_hand_that_moves_it(page):
    page.select_option("#worked-activation-1", "identity")
    page.select_option("#worked-rate", "3")
    page.select_option("#worked-weight", "b6")
    for _ in range(3):
        page.click("#worked-one")
    slider = page.locator("#worked-value")
    reach = float(slider.get_attribute("max"))
    assert reach > 20
    for value in ("20", "7"):
        slider.fill(value)
        assert float(slider.get_attribute("max")) == reach
        assert parameters(page)["b6"] == float(value)
    page.click("#worked-again")
    assert slider.get_attribute("max") == "6"


def test_a_row_can_be_chosen_during_a_run(browser, lesson):
    with opened(browser, lesson) as page:
        page.click("#worked-run")
        for number, cell in ((3, 4), (7, 5)):  # the last cell has a bar at its left
            place = page.locator(f"#worked-rows tr:nth-child({number}) > :nth-child({cell})")
            place.scroll_into_view_if_needed()
            box = place.bounding_box()
            page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
            page.mouse.down()
            steps = state(page, "steps")
            page.wait_for_function(f"{STATE}.steps > {steps + 2}")
            page.mouse.up()
            assert page.input_value("#worked-row") == str(number - 1)
        assert state(page, "running")


def drag(page, start, end):
    """Move the mouse with its button pressed from the first cell of a row to the last one of another."""
    first, last = (page.locator(f"#worked-weights tr:nth-child({row})") for row in (start, end))
    first.scroll_into_view_if_needed()
    for place, press in ((first.locator("th"), page.mouse.down), (last.locator("td").last, page.mouse.up)):
        box = place.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        press()


@pytest.mark.parametrize("end", [2, 5])
def test_text_of_the_tables_can_be_selected(browser, lesson, end):
    with opened(browser, lesson, reduced_motion="reduce") as page:
        drag(page, 2, end)
        assert "0.5000" in page.evaluate("getSelection().toString()")
        assert page.input_value("#worked-weight") == "w14"


def test_a_click_in_the_graph_or_a_table_chooses(page):
    page.click("[aria-label^='w35 =']")
    assert page.input_value("#worked-weight") == "w35"
    assert "dJ/dw35" in cards(page)[-1]
    page.click("#worked-weights tr:nth-child(11)")
    assert page.input_value("#worked-weight") == "b6"
    assert len(cards(page)) == 4
    page.click("#worked-rows tr:nth-child(8)")
    assert page.input_value("#worked-row") == "7"
    assert page.get_attribute("#worked-rows tr:nth-child(8)", "class") == "marked"


def focus_by_tab(page, id):
    """Press Tab until an element has the focus, which must be visible then."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == id:
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none"
            return
    raise AssertionError(f"Tab does not reach {id}")


def test_everything_can_be_done_with_keys(page):
    focus_by_tab(page, "worked-one")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert state(page, "steps") == 2
    focus_by_tab(page, "worked-value")
    before, loss = parameters(page)["w14"], state(page, "loss")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert parameters(page)["w14"] == pytest.approx(before + 0.02, abs=0.01)
    assert state(page, "loss") != loss
    assert page.inner_text("#worked-number") == f"{parameters(page)['w14']:.2f}"
    assert table(page, "weights")["w14"][0] == f"{parameters(page)['w14']:.4f}"
    assert page.inner_text("#worked-status") == f"Step 2: J = {state(page, 'loss'):.4g}."


def test_weights_in_the_graph_can_be_chosen_with_keys(page):
    for key, name in (("Enter", "w46"), ("Space", "b5")):
        page.focus(f"[aria-label^='{name} =']")
        frame = page.locator(f"[aria-label^='{name} ='] rect")
        page.keyboard.press(key)
        assert frame.evaluate("each => getComputedStyle(each).strokeWidth") == "4px"  # the focus is visible
        assert page.input_value("#worked-weight") == name
        assert page.get_attribute(f"[aria-label^='{name} =']", "aria-pressed") == "true"


def test_targets_are_whether_two_inputs_differ():
    assert [y for (y,) in TARGETS] == [0.9 if x1 != x2 else 0.1 for x1, x2, _ in INPUTS]
