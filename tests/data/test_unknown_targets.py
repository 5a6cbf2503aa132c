"""Unknown targets: NaN in y with ignore_nan, labels equal to ignore_index, NaN for custom losses."""

import math

import numpy as np
import pytest

import fastbp
from fastbp import losses, reference
from fastbp.exceptions import DataError, ParameterError
from helpers.differences import central_differences
from helpers.isas import ISAS, using
from helpers.layouts import misaligned
from helpers.problems import targets
from helpers.tables import DTYPES, ENGINES
from helpers.weighted import IGNORING, SHAPES, make, problem_with_nan, tolerance

nan = math.nan

every_loss = pytest.mark.parametrize("loss", IGNORING, ids=repr)
every_shape = pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def strict(loss):
    """Return the same loss without the option."""
    return type(loss)(**{name: getattr(loss, name) for name in loss._names if name != "ignore_nan"})


# ---- training ----------------------------------------------------------------------------------------------


@every_loss
@every_shape
@every_dtype
def test_nan_is_a_weight_of_zero(sizes, loss, dtype, network_class, isa, rng):
    """In epochs of any batches, bit for bit as with weights of the targets."""
    for batch_size, shuffle in ((7, True), (1, False), (None, True)):
        X, y = problem_with_nan(sizes, loss, 30, rng)
        weights, filled = ~np.isnan(y), np.nan_to_num(y, nan=1)
        nets = [make(network_class, sizes, each, dtype) for each in (loss, strict(loss))]
        options = {"epochs": 2, "batch_size": batch_size, "shuffle": shuffle}
        found = [
            nets[0].fit(X, y, **options).loss,
            nets[1].fit(X, filled, sample_weight=weights, **options).loss,
        ]
        assert found[0] == found[1]
        assert np.isfinite(found[0]).all()
        assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


@every_loss
@every_dtype
def test_both_engines_do_the_same(loss, dtype, rng):
    optimizer = fastbp.SGD(1e-5 if loss.divisor == "one" else 1e-3)
    for sizes in SHAPES.values():
        X, y = problem_with_nan(sizes, loss, 41, rng)

        def found(network_class, sizes=sizes, X=X, y=y):
            net = make(network_class, sizes, loss, dtype, optimizer=optimizer)
            fit = net.fit(X, y, epochs=2, batch_size=7, validation_data=(X, y))
            return fit.loss + fit.validation_loss, net.parameters

        numpy = found(reference.Network)
        for isa in ISAS:
            with using(isa):
                native = found(fastbp.Network)
                np.testing.assert_allclose(native[0], numpy[0], rtol=tolerance(dtype), atol=1e-14)
                np.testing.assert_allclose(native[1], numpy[1], rtol=0, atol=tolerance(dtype))


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (fastbp.MSE(ignore_nan=True), [1e200]),
        (fastbp.Poisson(ignore_nan=True), [1000]),
        (fastbp.GaussianNLL(ignore_nan=True), [1, -2000]),
    ],
    ids=repr,
)
@every_shape
def test_an_unknown_target_has_no_part_where_its_loss_overflows(
    sizes, loss, outputs, network_class, isa, rng
):
    """Not even NaN, which infinity times a weight of 0 would be."""
    sizes = (*sizes[:-1], 2 * len(outputs))
    for rows in (1, 20):
        X, y = problem_with_nan(sizes, loss, rows, rng, share=0)
        y[:, 1] = nan
        y[1:, 0][rng.random(rows - 1) < 0.3] = nan
        nets = [make(network_class, sizes, loss) for _ in range(2)]
        nets[1].biases[-1][-len(outputs) :] = outputs
        found = [net.loss_and_gradients(X, y) for net in nets]
        losses_found = [found[1][0], nets[1].evaluate(X, y, [])["loss"], loss(nets[1].predict(X), y)]
        assert losses_found == pytest.approx([found[0][0]] * 3, rel=1e-12)
        assert np.array_equal(found[0][1], found[1][1])
        assert nets[1].train_on_batch(X, y) == pytest.approx(found[0][0], rel=1e-12)
        assert np.isfinite(nets[1].parameters).all()
        assert np.isfinite(loss.gradient(nets[1].predict(X), y)).all()


@every_loss
@every_shape
def test_without_nan_no_bit_changes(sizes, loss, network_class, isa, rng):
    X, y = problem_with_nan(sizes, loss, 30, rng, share=0)
    results = []
    for each in (loss, strict(loss)):
        net = make(network_class, sizes, each, optimizer="adam")
        net.fit(X, y, epochs=2, batch_size=7)
        results.append((net.parameters.tobytes(), net.history.loss, net.evaluate(X, y)))
    assert results[0] == results[1]


@every_loss
@every_shape
def test_rows_without_a_known_target_are_absent(sizes, loss, network_class, isa, rng):
    """If no other target is unknown, bit for bit as training on the others alone."""
    X, y = problem_with_nan(sizes, loss, 30, rng, share=0)
    gone = rng.random(30) < 0.4
    y[gone] = nan
    X[gone] = 1e6  # which nobody looks at
    with_them, without = (make(network_class, sizes, loss, optimizer="adam") for _ in range(2))
    expected = without.fit(X[~gone], y[~gone], epochs=3, batch_size=7).loss
    assert with_them.fit(X, y, epochs=3, batch_size=7).loss == expected
    assert with_them.parameters.tobytes() == without.parameters.tobytes()
    assert with_them.evaluate(X, y) == pytest.approx(without.evaluate(X[~gone], y[~gone]), rel=1e-12)


@every_loss
def test_gradient_and_loss_are_those_of_the_known_targets(loss, network_class, rng):
    sizes = (3, 5, 3)
    X, y = problem_with_nan(sizes, loss, 11, rng)
    net = make(network_class, sizes, loss)
    value, gradients = net.loss_and_gradients(X, y)
    output, known = net.predict(X), ~np.isnan(y)
    of_targets = output.reshape(*y.shape, -1)
    terms = sum(strict(loss)(h, [t]) for h, t in zip(of_targets[known], y[known], strict=True))
    divisor = {"one": 1, "rows": known.sum() / y.shape[1], "elements": known.sum()}[loss.divisor]
    assert value == pytest.approx(terms / divisor, rel=1e-12)
    assert net.loss(output, y) == pytest.approx(value, rel=1e-12)
    assert net.evaluate(X, y)["loss"] == pytest.approx(value, rel=1e-12)
    for i in rng.choice(len(gradients), 10):
        numerical = central_differences(lambda: net.evaluate(X, y)["loss"], net.parameters[i : i + 1], 1e-6)
        assert gradients[i] == pytest.approx(numerical[0], rel=1e-6, abs=1e-8)


@every_loss
def test_loss_as_a_function(loss, rng):
    n_out = 3 * loss.outputs_per_target
    h, t = rng.uniform(0.1, 0.9, (7, n_out)), targets(rng, 7, n_out, loss).astype(float)
    assert loss(h, t) == strict(loss)(h, t)
    np.testing.assert_array_equal(loss.gradient(h, t), strict(loss).gradient(h, t))
    t[[0, 2, 3], [1, 0, 2]] = nan
    t[5] = nan
    moved = h.copy()
    numerical = central_differences(lambda: loss(moved, t), moved, 1e-6)
    gradient = loss.gradient(h, t)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-7, atol=1e-8)
    assert (gradient.reshape(7, 3, -1)[np.isnan(t)] == 0).all()
    h[5] = nan  # of a row that is absent
    assert loss(h, t) == loss(moved, t)
    h[0, 0] = nan
    assert math.isnan(loss(h, t))
    for call in (loss, loss.gradient):
        with pytest.raises(DataError, match="target has no known value, expected at least one"):
            call(h, np.full_like(t, nan))


def test_the_numbers_of_one_target(rng):
    net = fastbp.Network([1, 1], loss=fastbp.MSE(ignore_nan=True), dtype="float64", seed=0)
    net.parameters[:] = [1, 0]
    assert net.evaluate([[1], [2], [3]], [3, nan, 2])["loss"] == (4 + 1) / 2
    assert net.loss([[1], [2], [3]], [3, nan, 2]) == (4 + 1) / 2


@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 40, 2)])
def test_threads_and_modes_change_no_bit(sizes, rows, isa, rng):
    loss = fastbp.Huber(ignore_nan=True)
    X, y = problem_with_nan(sizes, loss, rows, rng)
    results = set()
    for threads in (1, 2, 3, 8):
        for gradient_tol in (None, 1e-300):
            net = make(fastbp.Network, sizes, loss)
            with fastbp.threads(threads):
                net.fit(X, y, epochs=3, batch_size=None, gradient_tol=gradient_tol)
            results.add((net.parameters.tobytes(), tuple(net.history.loss)))
    assert len(results) == 1


def test_with_sample_weights(network_class, rng):
    """A weight of rows or of targets counts where the target is known."""
    loss = fastbp.MSE(ignore_nan=True)
    X, y = problem_with_nan((3, 2), loss, 30, rng)
    by_row, by_target = rng.uniform(0, 2, 30), rng.uniform(0, 2, (30, 2))
    by_row[:5] = 0
    for weights in (by_row, by_target):
        both, zeros = (make(network_class, (3, 4, 2), loss) for _ in range(2))
        got = both.fit(X, y, batch_size=7, sample_weight=weights).loss
        product = np.where(np.isnan(y), 0, weights.reshape(30, -1))
        assert got == zeros.fit(X, np.nan_to_num(y), batch_size=7, sample_weight=product).loss
        assert both.parameters.tobytes() == zeros.parameters.tobytes()
        assert both.evaluate(X, y, sample_weight=weights) == zeros.evaluate(
            X, np.nan_to_num(y), sample_weight=product
        )


@pytest.mark.parametrize(("loss", "classes"), [("hinge", (-1, 1)), ("binary_cross_entropy", (0, 1))])
def test_with_class_weights(loss, classes, network_class, rng):
    """ "balanced" counts the rows whose class is known."""
    loss = type(losses.LOSSES[loss])(ignore_nan=True)
    X, y = rng.normal(size=(40, 3)), rng.choice(classes, (40, 1), p=[0.8, 0.2]).astype(float)
    gone = rng.random(40) < 0.3
    y[gone] = nan
    for weights in ("balanced", {classes[0]: 0.0, classes[1]: 2}):
        here, alone = (make(network_class, (3, 4, 1), loss) for _ in range(2))
        got = here.fit(X, y, batch_size=7, class_weight=weights).loss
        assert got == alone.fit(X[~gone], y[~gone], batch_size=7, class_weight=weights).loss
        assert here.parameters.tobytes() == alone.parameters.tobytes()


@pytest.mark.parametrize("kind", ["f2", "f4", ">f8", "list", "strided", "misaligned", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_y_in_any_form(kind, dtype, network_class, rng):
    X, y = problem_with_nan((3, 2), fastbp.MSE(), 30, rng)
    y = y.astype("f2").astype("f8")
    given = {
        "list": lambda: y.tolist(),
        "strided": lambda: np.repeat(y, 2, 1)[:, ::2],
        "misaligned": lambda: misaligned(y),
        "F": lambda: np.asfortranarray(y),
    }.get(kind, lambda: y.astype(kind))()
    results = set()
    for each in (y, given):
        net = make(network_class, (3, 4, 2), fastbp.MSE(ignore_nan=True), dtype)
        net.fit(X, each, batch_size=7)
        results.add((net.parameters.tobytes(), *net.evaluate(X, each, ["r2", "mae"]).values()))
    assert len(results) == 1


def test_many_rows_in_blocks(network_class, rng, monkeypatch):
    """The known targets are found block by block."""
    monkeypatch.setattr("fastbp._data.checks.blocks.__defaults__", (8,))
    X, y = problem_with_nan((3, 2), fastbp.MSE(), 50, rng, share=0.1)
    y[:20] = 1.0  # blocks without NaN first
    net = make(network_class, (3, 2), fastbp.MSE(ignore_nan=True))
    known = ~np.isnan(y)
    error = np.where(known, net.predict(X) - y, 0)
    assert net.evaluate(X, y, [])["loss"] == pytest.approx((error**2).sum() / known.sum(), rel=1e-12)


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_an_output_that_is_nan_shows(loss, network_class):
    net = network_class([2, 4, 2], loss=type(losses.LOSSES[loss])(ignore_nan=True), seed=0)
    net.biases[-1][:] = [nan, 0]
    with np.errstate(invalid="ignore"):
        assert math.isnan(net.loss_and_gradients(np.ones((3, 2)), [[nan, 1], [1, 1], [nan, nan]])[0])
        assert math.isnan(net.evaluate(np.ones((3, 2)), [[nan, 1], [1, 1], [nan, nan]])["loss"])


# ---- metrics and validation --------------------------------------------------------------------------------


def test_metrics_use_the_known_targets(network_class, rng):
    X, y = problem_with_nan((3, 3), fastbp.MSE(), 40, rng)
    y[:, 1] = nan  # r2 leaves this output out
    net = make(network_class, (3, 4, 3), fastbp.MSE(ignore_nan=True))
    h, known = net.predict(X), ~np.isnan(y)
    columns = [(h[known[:, j], j], y[known[:, j], j]) for j in (0, 2)]
    r2 = np.mean([1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum() for p, t in columns])
    found = net.evaluate(X, y, ["r2", "mae"])
    assert found["r2"] == pytest.approx(r2, rel=1e-12)
    assert found["mae"] == pytest.approx(np.abs(h - y)[known].mean(), rel=1e-12)


@pytest.mark.parametrize(("loss", "classes"), [("hinge", (-1, 1)), ("binary_cross_entropy", (0, 1))])
def test_metrics_of_answers_use_the_known_targets(loss, classes, network_class, rng):
    loss = type(losses.LOSSES[loss])(ignore_nan=True)
    X, y = rng.normal(size=(40, 3)), rng.choice(classes, (40, 2)).astype(float)
    y[rng.random(y.shape) < 0.4] = nan
    net = make(network_class, (3, 4, 2), loss)
    found = net.evaluate(X, y, ["accuracy", "f1", "auc"])
    read = loss.answers.read
    single = []
    for j in range(2):
        known = ~np.isnan(y[:, j])
        pair = net.predict(X)[known, j], y[known, j]
        single.append([f(*pair, read) for f in (fastbp.metrics.f1, fastbp.metrics.auc)])
    known = ~np.isnan(y)
    assert found["accuracy"] == pytest.approx((read(net.predict(X)) == read(y))[known].mean(), rel=1e-12)
    assert [found["f1"], found["auc"]] == pytest.approx(np.mean(single, axis=0), rel=1e-12)


def test_validation_data_with_unknown_targets(network_class, rng):
    X, y = problem_with_nan((3, 2), fastbp.MSE(), 40, rng)
    net = make(network_class, (3, 2), fastbp.MSE(ignore_nan=True))
    history = net.fit(X[:20], y[:20], validation_data=(X[20:], y[20:]), metrics="mae")
    expected = net.evaluate(X[20:], y[20:], "mae")
    assert (history.validation_loss[-1], history.validation_mae[-1]) == (expected["loss"], expected["mae"])
    with pytest.raises(DataError, match=r"validation_data\[1\] has no known target"):
        net.fit(X, y, validation_data=(X, np.full_like(y, nan)))


def test_minimize_and_levenberg_marquardt(network_class, rng):
    X, y = rng.normal(size=(40, 2)), np.sin(rng.normal(size=(40, 2)))
    y[::3] = nan
    loss = fastbp.MSE(ignore_nan=True)
    results = []
    for rows in (slice(None), ~np.isnan(y[:, 0])):
        net = network_class([2, 4, 2], loss=loss, optimizer=fastbp.LevenbergMarquardt(), seed=0)
        results.append((net.fit(X[rows], y[rows], epochs=5, batch_size=None).loss, net.parameters.tobytes()))
    assert results[0] == results[1]
    y[1, 0] = nan
    with pytest.raises(ParameterError, match="y has rows of which only some targets are NaN"):
        net.fit(X, y, batch_size=None)
    pytest.importorskip("scipy")
    net = network_class([2, 4, 2], loss=loss, dtype="float64", seed=0)
    before = net.evaluate(X, y)["loss"]
    result = fastbp.minimize(net, X, y, max_iterations=20)
    assert net.evaluate(X, y)["loss"] == pytest.approx(result.fun, rel=1e-9)
    assert result.fun < before


@pytest.mark.parametrize("loss", [fastbp.MSE(ignore_nan=True), fastbp.Quantiles([0.2, 0.8], ignore_nan=True)])
@every_shape
def test_with_scaled_targets(sizes, loss, isa, rng):
    """Unknown targets are left out of the scale and of the loss of scaled targets, in both engines."""
    X, y = problem_with_nan(sizes, loss, 41, rng)
    y = 100 + 30 * y
    native, numpy = nets = [make(each, sizes, loss) for each in ENGINES]
    for net in nets:
        net.adapt(X, y)
    fits = [net.fit(X, y, epochs=2, batch_size=7, metrics="mae", validation_data=(X, y)) for net in nets]
    for column in ("loss", "validation_loss", "validation_mae"):
        np.testing.assert_allclose(*(fit[column] for fit in fits), rtol=1e-10)
    np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=0, atol=1e-10)
    known = ~np.isnan(y)
    output = loss.estimate(native.predict(X))
    assert native.evaluate(X, y, "mae")["mae"] == pytest.approx(np.abs(output - y)[known].mean(), rel=1e-10)
