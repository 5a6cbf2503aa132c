"""`SaliencyDisplay`: derivatives of scores by pixels, shapes of images, and titles."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.plot import SaliencyDisplay

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 16, size=(8, 12))
CLASSES = fastbp.Network([12, 5, 3], activation="tanh", loss="cross_entropy", dtype="float64", seed=0)
CLASSES.adapt(X)
SAID = CLASSES.predict_classes(X)


def display_of(net=CLASSES, *data, **options):
    """Return the display of a network, on axes of its own."""
    options = {"image_shape": (3, 4), "limit": 3, **options}
    return SaliencyDisplay.from_network(net, *data or (X,), ax=Figure().subplots(), **options)


def titles(display):
    """Return the titles of the images."""
    return [panel.get_title() for panel in display.axes_ if panel.get_title()]


def test_map_is_the_derivative_of_the_score_of_the_predicted_class():
    """By the raw inputs; scores are logarithms of probabilities but for what all classes share."""
    h, twin = 1e-5, CLASSES.clone()
    display = display_of(limit=2)
    chosen = [display_of(limit=2, output=j).maps.reshape(2, 12) for j in range(3)]
    for row, (image, found) in enumerate(zip(display.images, display.maps, strict=True)):
        np.testing.assert_array_equal(image.ravel(), X[row])
        around = np.repeat(X[row][None], 24, axis=0)
        around[:12] += h * np.eye(12)
        around[12:] -= h * np.eye(12)
        logits = np.log(twin.predict(around))
        d_logits = (logits[:12] - logits[12:]) / (2 * h)  # (n_in, classes), up to one number per input
        others = [maps[row] for maps in chosen]
        np.testing.assert_array_equal(others[SAID[row]], found.ravel())
        for j in range(3):
            np.testing.assert_allclose(others[j] - others[0], d_logits[:, j] - d_logits[:, 0], atol=1e-8)


def test_map_of_a_number_is_the_derivative_of_the_output():
    """Without an activation, z is the output."""
    net = fastbp.Network([12, 1], seed=0)
    maps = display_of(net).maps
    np.testing.assert_allclose(maps.reshape(-1, 12), np.repeat(net.weights[0].T, 3, axis=0))


def test_sure_network_has_a_map():
    """Its probability is 1, so the derivative of that is 0."""
    net = fastbp.Network([12, 3], loss="cross_entropy", seed=0)
    net.parameters[:] *= 1000
    assert net.predict(X).max(axis=1).min() == 1
    assert (np.abs(display_of(net).maps).max(axis=(1, 2)) > 100).all()


def test_images_are_above_their_maps():
    """Light is large; each map goes from 0 to its own largest magnitude; six are side by side."""
    display = display_of(limit=8)
    panels = np.array(display.axes_).reshape(2, 2, 6)
    for i in range(8):
        above, below = panels[i // 6, :, i % 6]
        (image,), (found,) = above.images, below.images
        np.testing.assert_allclose(
            image.get_array(), (display.images[i] - X.min()) / (X.max() - X.min()), atol=1e-12
        )
        np.testing.assert_array_equal(found.get_array(), np.abs(display.maps[i]))
        assert found.get_clim() == (0, np.abs(display.maps[i]).max())
    assert [panels[line, k, 0].get_ylabel() for line in (0, 1) for k in (0, 1)] == [
        "image",
        "sensitivity",
    ] * 2
    assert not any(panel.axison for panel in panels[1, :, 2:].flat)


def test_titles_have_the_predicted_class_and_the_true_one_if_it_is_another():
    """Unknown ones are not named."""
    assert titles(display_of()) == [str(label) for label in SAID[:3]]
    y = np.r_[SAID[:1], (SAID[1:] + 1) % 3]
    wrong = [f"{i}, not {t}" for i, t in zip(SAID[1:3], y[1:3], strict=True)]
    assert titles(display_of(CLASSES, X, y)) == [str(SAID[0]), *wrong]
    net = fastbp.Network([12, 3], loss=fastbp.CrossEntropy(ignore_index=-1), seed=0)
    net.class_names = ["$x$", "a rather long name", "another long name"]
    shown = [r"\$x\$", "a rathe…g name", "another…g name"]
    y = np.r_[np.full(7, -1), 0]
    assert titles(display_of(net, X, y)) == [shown[i] for i in net.predict_classes(X)[:3]]


def test_long_titles_have_two_lines(ax):
    """So that they do not run into each other."""
    display = SaliencyDisplay(np.ones((1, 2, 2)), np.ones((1, 2, 2)), ["a long name"], ["a longer name"])
    assert titles(display.plot(ax)) == ["a long name,\nnot a longer name"]


def test_yes_or_no_is_named():
    """One sigmoid output has two classes; numbers have none."""
    net = fastbp.Network([12, 1], loss="binary_cross_entropy", seed=0)
    net.class_names = ["ill"]
    expected = ["ill" if p >= 0.5 else "not ill" for p in net.predict(X)[:3, 0]]
    assert titles(display_of(net)) == expected
    assert titles(display_of(fastbp.Network([12, 1], seed=0))) == []
    assert titles(display_of(fastbp.Network([12, 2], seed=0), output=1, limit=1)) == ["output 1"]


@pytest.mark.parametrize(("channels", "shape"), [(2, (2, 3)), (3, (2, 2, 3))])
def test_channels_of_an_image_are_colors_or_their_mean(channels, shape):
    """A map has the largest magnitude of each pixel."""
    display = display_of(image_shape=(2, 6 // channels, channels), limit=1)
    above, below = display.axes_
    lightness = (display.images[0] - display.images.min()) / np.ptp(display.images)
    expected = lightness if channels == 3 else lightness.mean(axis=2)
    assert expected.shape == shape
    np.testing.assert_allclose(above.images[0].get_array(), expected)
    np.testing.assert_array_equal(below.images[0].get_array(), np.abs(display.maps[0]).max(axis=2))


def test_square_images_need_no_shape(ax):
    """Their side is the root of the number of inputs; all numbers may be equal."""
    net = fastbp.Network([9, 1], seed=0)
    assert SaliencyDisplay.from_network(net, np.ones((1, 9)), ax=ax).images.shape == (1, 3, 3)


@pytest.mark.parametrize(
    ("image_shape", "message"),
    [
        (None, r"image_shape is None, and 12 inputs are no square, expected \(rows, columns\)"),
        ((3, 5), r"image_shape is \(3, 5\) with 15 numbers, expected 12 \(the network's inputs\)"),
        ((12,), r"image_shape is \(12,\), expected \(rows, columns\) or \(rows, columns, channels\)"),
        ((3, 4, 1, 1), r"image_shape is \(3, 4, 1, 1\), expected"),
        (12, "image_shape is 12, expected"),
        ((3, 0), r"image_shape\[1\] is 0, expected an integer >= 1"),
    ],
)
def test_wrong_image_shape_is_refused(image_shape, message):
    """The error says what fits."""
    with pytest.raises(ParameterError, match=message):
        display_of(image_shape=image_shape)


def test_network_with_several_numbers_has_no_default_output():
    """It can be chosen."""
    net = fastbp.Network([12, 2], seed=0)
    with pytest.raises(ParameterError, match="output is None, expected the index of one of the 2 outputs"):
        display_of(net)
    display = display_of(net, output=[0, 1] * 4, limit=2)
    np.testing.assert_allclose(display.maps.reshape(2, 12), net.weights[0].T)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 2)), np.ones((2, 2))), ShapeError, r"images has shape \(2, 2\), expected \(n, rows"),
        ((np.ones((1, 2, 2)), np.ones((1, 2, 3))), ShapeError, r"maps has shape .* expected \(1, 2, 2\)"),
        ((np.ones((1, 2, 2)), np.full((1, 2, 2), np.nan)), DataError, "maps has NaN or infinite numbers"),
        ((np.ones((1, 2, 2)), np.ones((1, 2, 2)), ()), ShapeError, "answers has 0 entries, expected 1"),
        ((np.ones((1, 2, 2)), np.ones((1, 2, 2)), None, ()), ShapeError, "true has 0 entries, expected 1"),
    ],
)
def test_wrong_numbers_are_refused(arguments, error, message):
    """The error names the argument."""
    with pytest.raises(error, match=message):
        SaliencyDisplay(*arguments)
