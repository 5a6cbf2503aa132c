"""Sample weights and class weights, in both engines."""

from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import _core, activations, losses, reference
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from helpers.inside import engine_of, row_weights

ENGINES = (fastbp.Network, reference.Network)
DTYPES = ("float32", "float64")
LOSSES = [*losses.LOSSES.values(), fastbp.HalfSSE(reduction="mean"), fastbp.CrossEntropy(label_smoothing=0.1)]
SHAPES = {"narrow": (3, 5, 2), "wide": (3, 33, 17, 3), "one output": (3, 33, 1)}
BATCHES = [  # rows, batch_size, shuffle
    (41, 7, True),
    (41, 7, False),
    (41, None, True),
    (1, 1, True),
    (9, 1, False),
]

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def in_every_shape(among):
    """Parametrize with losses and sizes that go together: cross_entropy has classes, two at least."""
    return pytest.mark.parametrize(
        ("sizes", "loss"),
        [
            pytest.param(sizes, loss, id=f"{name}-{loss}")
            for loss in among
            for name, sizes in SHAPES.items()
            if sizes[-1] > 1 or loss.name != "cross_entropy"
        ],
    )


every_loss_and_shape = in_every_shape(LOSSES)


def make(network_class, sizes, loss, dtype="float64", **options):
    options = {"activation": "tanh", "optimizer": fastbp.SGD(1e-3), "seed": 1} | options
    return network_class(list(sizes), loss=loss, dtype=dtype, **options)


def data_for(sizes, loss, rows, rng):
    X = rng.standard_normal((rows, sizes[0]))
    if loss.name == "cross_entropy":
        return X, rng.integers(0, sizes[-1], rows)
    if loss.name == "hinge":
        return X, rng.choice([-1, 1], (rows, sizes[-1]))
    return X, rng.random((rows, sizes[-1]))


def some_weights(rows, rng):
    """A third of them 0, but the last."""
    weights = rng.uniform(0.1, 3, rows)
    weights[:-1][rng.random(rows - 1) < 1 / 3] = 0
    return weights


def tolerance(dtype):
    return 1e-10 if dtype == "float64" else 1e-4


# ---- native and reference ----------------------------------------------------------------------------------


@every_dtype
@every_loss_and_shape
def test_both_engines_do_the_same(sizes, loss, dtype, isa, rng):
    assert_parity(sizes, loss, dtype, BATCHES, rng)


@in_every_shape([losses.log_cosh, losses.cross_entropy])
@pytest.mark.parametrize("batch_size", [None, 5000])
def test_both_engines_do_the_same_in_row_blocks(batch_size, loss, sizes, isa, rng):
    assert_parity(sizes, loss, "float64", [(2 * 4096 + 33, batch_size, True)], rng)


def assert_parity(sizes, loss, dtype, batches, rng):
    for rows, batch_size, shuffle in batches:
        X, y = data_for(sizes, loss, rows, rng)
        weights = some_weights(rows, rng)
        native, numpy = nets = [make(each, sizes, loss, dtype) for each in ENGINES]
        if loss.divisor == "one":
            for net in nets:
                net.optimizer = fastbp.SGD(1e-5)
        fit = {"epochs": 2, "batch_size": batch_size, "shuffle": shuffle, "sample_weight": weights}
        by_fit = [net.fit(X, y, **fit).loss for net in nets]
        np.testing.assert_allclose(*by_fit, rtol=tolerance(dtype), atol=1e-14)
        by_step = [net.train_on_batch(X, y, sample_weight=weights) for net in nets]
        np.testing.assert_allclose(*by_step, rtol=tolerance(dtype), atol=1e-14)
        np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=0, atol=tolerance(dtype))
        for net in nets:
            net.loss_and_gradients(X, y, sample_weight=weights)
        scale = max(np.abs(numpy.gradients).max(), 1e-3)
        np.testing.assert_allclose(native.gradients, numpy.gradients, rtol=0, atol=tolerance(dtype) * scale)


# ---- what a weight means -----------------------------------------------------------------------------------


@every_loss_and_shape
def test_gradient_is_the_numerical_one(sizes, loss, network_class, rng):
    X, y = data_for(sizes, loss, 6, rng)
    net = make(network_class, sizes, loss)
    weights = np.array([0.5, 0, 2, 1, 0, 3.5])
    _, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
    gradients, parameters = gradients.copy(), net.parameters
    for i in rng.choice(len(gradients), 20):
        value, sides = parameters[i], []
        for step in (1e-6, -1e-6):
            parameters[i] = value + step
            sides.append(net.loss_and_gradients(X, y, sample_weight=weights)[0])
        parameters[i] = value
        assert gradients[i] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6, abs=1e-8)


@every_loss
def test_loss_is_the_weighted_mean(loss, network_class, rng):
    """By the loss of each row alone."""
    X, y = data_for((3, 5, 2), loss, 11, rng)
    weights = some_weights(11, rng)
    net = make(network_class, (3, 5, 2), loss)
    alone = [net.loss_and_gradients(X[[i]], y[[i]])[0] for i in range(11)]
    expected = np.dot(weights, alone) / (1 if loss.divisor == "one" else weights.sum())
    assert net.loss_and_gradients(X, y, sample_weight=weights)[0] == pytest.approx(expected, rel=1e-12)


@every_loss_and_shape
def test_equal_weights_are_none(sizes, loss, network_class, rng):
    X, y = data_for(sizes, loss, 23, rng)
    plain, weighted = (make(network_class, sizes, loss) for _ in range(2))
    weight = 1 if loss.divisor == "one" else 0.3
    expected = plain.fit(X, y, epochs=3, batch_size=7).loss
    got = weighted.fit(X, y, epochs=3, batch_size=7, sample_weight=np.full(23, weight)).loss
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.parameters, plain.parameters, rtol=1e-9, atol=1e-12)


@every_loss_and_shape
def test_whole_weights_are_repeated_rows(sizes, loss, network_class, rng):
    X, y = data_for(sizes, loss, 23, rng)
    times = rng.integers(0, 4, 23)
    repeated, weighted = (make(network_class, sizes, loss) for _ in range(2))
    options = {"epochs": 3, "batch_size": None}
    expected = repeated.fit(np.repeat(X, times, 0), np.repeat(y, times, 0), **options).loss
    np.testing.assert_allclose(weighted.fit(X, y, sample_weight=times, **options).loss, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-9, atol=1e-12)


@every_dtype
@every_loss_and_shape
def test_rows_of_weight_zero_are_absent(sizes, loss, dtype, network_class, isa, rng):
    """Bit for bit, shuffled or not, in batches, all at once, and one row at a time."""
    for rows, batch_size, shuffle in BATCHES:
        X, y = data_for(sizes, loss, rows, rng)
        weights = some_weights(rows, rng)
        here = weights > 0
        with_them, without = (make(network_class, sizes, loss, dtype, optimizer="adam") for _ in range(2))
        X[~here] = 1e6  # which nobody looks at
        options = {"epochs": 3, "batch_size": batch_size, "shuffle": shuffle}
        got = with_them.fit(X, y, sample_weight=weights, **options).loss
        assert got == without.fit(X[here], y[here], sample_weight=weights[here], **options).loss
        got = with_them.train_on_batch(X, y, sample_weight=weights)
        assert got == without.train_on_batch(X[here], y[here], sample_weight=weights[here])
        assert with_them.parameters.tobytes() == without.parameters.tobytes()


def test_with_regularisation(isa, rng):
    """Dropout and noise fall on the rows that are there; a penalty counts once a batch."""
    X, y = data_for((3, 2), losses.mse, 40, rng)
    weights = some_weights(40, rng)
    here = weights > 0
    hidden = fastbp.Dense(33, "tanh", dropout=0.2, l1=0.01, l2=0.1, max_norm=2)
    options = {"loss": "mse", "input_noise": 0.1, "dtype": "float64", "seed": 1}
    native, numpy, without = (each([3, hidden, 2], **options) for each in (*ENGINES, fastbp.Network))
    fits = [net.fit(X, y, epochs=3, batch_size=7, sample_weight=weights).loss for net in (native, numpy)]
    np.testing.assert_allclose(*fits, rtol=1e-10)
    np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=0, atol=1e-10)
    without.fit(X[here], y[here], epochs=3, batch_size=7, sample_weight=weights[here])
    assert native.parameters.tobytes() == without.parameters.tobytes()


def test_an_epoch_takes_the_rows_that_weigh_anything(network_class):
    """Every one once, in a batch of the size asked for."""
    X, weights = np.arange(12.0)[:, None], np.tile([1.0, 0, 2], 4)
    net = make(network_class, (1, 1), losses.mse)
    run = engine_of(net).begin(
        X,
        X,
        weights=row_weights(net, X, weights),
        batch_size=1,
        shuffle=True,
        seed=3,
        first_epoch=0,
        epochs=2,
        stored=True,
    )
    assert run.steps_per_epoch == 8
    order = []
    for _ in range(2 * 8):
        net.parameters[:] = [0, -1]  # h = -1, and d_W / d_b = x
        run.advance(2, 0.0)
        order.append(round(engine_of(net).gradients[0] / engine_of(net).gradients[1]))
    kept = np.flatnonzero(weights)
    assert order == [*kept[_core.permutation(3, 0, 8)], *kept[_core.permutation(3, 1, 8)]]


def test_epoch_loss_is_the_mean_of_the_batches_by_weight(network_class, rng):
    X, y = data_for((3, 2), losses.mse, 10, rng)
    weights = rng.uniform(0.1, 5, 10)
    fitted, by_hand = (make(network_class, (3, 2), losses.mse) for _ in range(2))
    batches = [slice(0, 4), slice(4, 8), slice(8, 10)]
    alone = [by_hand.train_on_batch(X[b], y[b], sample_weight=weights[b]) for b in batches]
    loss = fitted.fit(X, y, batch_size=4, shuffle=False, sample_weight=weights).loss[0]
    assert loss == pytest.approx(np.average(alone, weights=[weights[b].sum() for b in batches]), rel=1e-14)


@pytest.mark.parametrize("sizes", [(3, 16, 2), (40, 100, 3)])
def test_threads_and_modes_change_no_bit(sizes, isa, rng):
    loss = losses.log_cosh
    X, y = data_for(sizes, loss, 10_000, rng)
    weights = some_weights(10_000, rng)
    results = set()
    for threads in (1, 2, 3):
        for gradient_tol in (None, 1e-30):
            net = make(fastbp.Network, sizes, loss, "float32")
            with fastbp.threads(threads):
                net.fit(X, y, epochs=2, batch_size=None, sample_weight=weights, gradient_tol=gradient_tol)
            results.add((net.parameters.tobytes(), tuple(net.history.loss)))
    assert len(results) == 1


@pytest.mark.parametrize("batch_size", [5, None])
def test_fused_and_stored(batch_size, isa, rng):
    X, y = data_for((3, 40, 2), losses.mse, 23, rng)
    weights = some_weights(23, rng)
    fused, stored = (make(fastbp.Network, (3, 40, 2), losses.mse) for _ in range(2))
    for _ in range(3):
        loss = fused.train_on_batch(X, y, sample_weight=weights)
        assert stored.loss_and_gradients(X, y, sample_weight=weights)[0] == loss
        stored.step()
    assert fused.parameters.tobytes() == stored.parameters.tobytes()


@pytest.mark.parametrize("kind", ["f4", ">f8", "f2", "i8", "u1", "?"])
def test_weights_of_any_real_dtype(kind, network_class, rng):
    X, y = data_for((3, 2), losses.mse, 20, rng)
    weights = rng.integers(0, 2, 20)
    results = []
    for given in (weights.astype(kind), np.repeat(weights, 2).astype(kind)[::2], weights.tolist()):
        net = make(network_class, (3, 2), losses.mse)
        net.fit(X, y, sample_weight=given)
        results.append(net.parameters.tobytes())
    assert len(set(results)) == 1


def test_convergence_and_divergence_with_weights(network_class, rng):
    X, y = data_for((3, 2), losses.mse, 20, rng)
    weights = some_weights(20, rng)
    net = make(network_class, (3, 2), losses.mse, optimizer=fastbp.SGD(0.1))
    assert net.fit(X, y, epochs=3000, batch_size=None, sample_weight=weights, tol=1e-6).stopped == "tol"
    fit = partial(net.fit, X, y, batch_size=None, sample_weight=weights)
    assert fit(epochs=5000, gradient_tol=1e-6).stopped == "gradient_tol"
    assert np.abs(net.loss_and_gradients(X, y, sample_weight=weights)[1]).max() <= 1e-6
    net.optimizer = fastbp.SGD(1e200)
    before = net.parameters.copy()
    with pytest.raises(fastbp.DivergenceError, match="step 2 of 4"):
        net.fit(X, y, batch_size=4, sample_weight=np.r_[np.ones(14), np.zeros(6)])
    np.testing.assert_array_equal(net.parameters, before)


def test_an_optimizer_of_full_batches_takes_those_that_weigh_anything(network_class, rng):
    X, y = data_for((3, 2), losses.mse, 20, rng)
    weights = some_weights(20, rng)
    net = make(network_class, (3, 2), losses.mse, optimizer=fastbp.IRprop())
    history = net.fit(X, y, epochs=20, batch_size=None, sample_weight=weights)
    assert history.loss[-1] < history.loss[0]
    with pytest.raises(ParameterError, match="batch_size"):
        net.fit(X, y, batch_size=10, sample_weight=weights)


# ---- class weights -----------------------------------------------------------------------------------------

LABELS = np.array([0, 1, 1, 3, 3, 3, 0, 1, 3, 3], np.uint8)
YES = np.array([0, 1, 1, 1, 0, 1, 1, 1, 1, 1.0])
CLASSIFIERS = {  # sizes, loss, y, the label of each row
    "labels": ((3, 5, 4), "cross_entropy", LABELS, LABELS),
    "one-hot": ((3, 5, 4), "cross_entropy", np.eye(4)[LABELS], LABELS),
    "one-hot bools": ((3, 5, 4), "cross_entropy", np.eye(4, dtype=bool)[LABELS], LABELS),
    "yes or no": ((3, 5, 1), "binary_cross_entropy", YES, YES),
    "signs": ((3, 5, 1), "hinge", 2 * YES - 1, 2 * YES - 1),
    "column of signs": ((3, 5, 1), "hinge", (2 * YES - 1).astype(int)[:, None], 2 * YES - 1),
}


@pytest.mark.parametrize(("sizes", "loss", "y", "labels"), CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize("sample_weight", [None, np.array([1, 0, 2, 1, 1, 0.5, 1, 1, 0, 1])])
@pytest.mark.parametrize("class_weight", ["balanced", {1: 3}, {np.int8(0): 0, 1: 0.5}])
def test_class_weights_stand_for_sample_weights(
    sizes, loss, y, labels, sample_weight, class_weight, network_class
):
    if loss == "hinge" and isinstance(class_weight, dict) and 0 in class_weight:
        class_weight = {-1: class_weight[0], 1: class_weight[1]}
    X = np.random.default_rng(0).standard_normal((10, 3))
    rows = np.ones(10) if sample_weight is None else sample_weight
    if class_weight == "balanced":
        found, counts = np.unique(labels[rows > 0], return_counts=True)
        table = {label: counts.sum() / (len(found) * n) for label, n in zip(found, counts, strict=True)}
    else:
        table = class_weight
    same = rows * [table.get(label, 1.0) for label in labels]
    results = []
    for weights in ({"sample_weight": sample_weight, "class_weight": class_weight}, {"sample_weight": same}):
        net = make(network_class, sizes, loss)
        history = net.fit(X, y, epochs=3, batch_size=4, **weights)
        value = net.train_on_batch(X, y, **weights), net.loss_and_gradients(X, y, **weights)[0]
        results.append((history.loss, value, net.parameters.tobytes()))
    assert results[0] == results[1]


def test_balanced_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is not installed")
    y = np.array([0, 2, 2, 2, 3, 3])  # no class 1
    expected = sklearn.compute_sample_weight("balanced", y)
    net = fastbp.Network([1, 4], loss="cross_entropy")
    weights = row_weights(net, y, class_weight="balanced")
    np.testing.assert_array_equal(weights.values, expected)


def test_class_weights_are_pytorchs(network_class, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    X, y = rng.standard_normal((30, 3)), rng.integers(0, 4, 30)
    class_weight = {0: 0.5, 1: 2.0, 2: 1.0, 3: 0.0}
    net = make(network_class, (3, 4), "cross_entropy", optimizer=fastbp.SGD(0.1))
    W, b = (torch.tensor(array[0].copy(), requires_grad=True) for array in (net.weights, net.biases))
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor(list(class_weight.values())).double())
    optimizer = torch.optim.SGD([W, b], 0.1)
    for _ in range(100):
        optimizer.zero_grad()
        theirs = criterion(torch.tensor(X) @ W + b, torch.tensor(y))
        theirs.backward()
        optimizer.step()
        assert net.train_on_batch(X, y, class_weight=class_weight) == pytest.approx(theirs.item(), rel=1e-9)
    np.testing.assert_allclose(net.weights[0], W.detach().numpy(), rtol=1e-9)


def test_several_labels_a_row(network_class, rng):
    """binary_cross_entropy with one column a label learns each of them, which a row may have together."""
    X = rng.uniform(-1, 1, (500, 2))
    y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X.sum(axis=1) > 0])
    net = network_class([2, 16, 3], loss="binary_cross_entropy", optimizer=fastbp.Adam(0.02), seed=0)
    net.fit(X, y, epochs=30)
    assert (net.predict_classes(X) == y).all(axis=1).mean() > 0.9
    assert net.layers[-1].activation == activations.get("sigmoid")


# ---- what is refused ---------------------------------------------------------------------------------------

NAN = float("nan")
BAD_SAMPLE_WEIGHTS = [
    ([1, 1], ShapeError, "sample_weight has shape (2,), expected (4,)"),
    (np.ones((4, 1)), ShapeError, "sample_weight has shape (4, 1), expected (4,)"),
    (1.0, ShapeError, "sample_weight has shape (), expected (4,)"),
    ("1111", DTypeError, "sample_weight has dtype <U4"),
    (np.ones(4, complex), DTypeError, "sample_weight has dtype complex128"),
    ([1, NAN, 1, 1], DataError, "sample_weight[1] is nan, expected a finite number"),
    ([1, 1, 1, np.inf], DataError, "sample_weight[3] is inf, expected a finite number"),
    ([1, 1, 1e39, 1], DataError, "sample_weight[2] is 1e+39, expected a finite number in float32"),
    ([1, 1, -1, 1], DataError, "sample_weight[2] is -1.0, expected 0, or a number >= 1.18e-38"),
    ([1, 1, 1e-40, 1], DataError, "sample_weight[2] is 1e-40, expected 0, or a number"),
    ([0, 0, 0, 0], DataError, "sample_weight sums to 0, expected above 0"),
    ([3e38, 3e38, 3e38, 1], DataError, "sample_weight sums to 9e+38, expected above 0 and below 8.51e+37"),
]
FOUR = np.array([0, 1, 1, 2])
BAD_CLASS_WEIGHTS = [
    ("cross_entropy", 3, FOUR, {3: 1}, ParameterError, "a key of class_weight is 3, expected an integer"),
    ("cross_entropy", 3, FOUR, {-1: 1}, ParameterError, "a key of class_weight is -1, expected an integer"),
    ("cross_entropy", 3, FOUR, {"0": 1}, ParameterError, "a key of class_weight is '0'"),
    ("cross_entropy", 3, FOUR, {0: -1}, ParameterError, "class_weight[0] is -1, expected a finite number"),
    ("cross_entropy", 3, FOUR, {0: NAN}, ParameterError, "class_weight[0] is nan, expected a finite"),
    ("cross_entropy", 3, FOUR, {0: 0, 1: 0, 2: 0}, DataError, "class_weight sums to 0, expected above 0"),
    ("cross_entropy", 3, FOUR, "even", ParameterError, "class_weight is 'even', expected 'balanced' or"),
    ("cross_entropy", 3, FOUR, [1, 2, 3], ParameterError, "class_weight is [1, 2, 3], expected 'balanced'"),
    (
        "cross_entropy",
        3,
        [[0, 1, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]],
        "balanced",
        DataError,
        "y[2, 1] is 0.5, expected 0 or 1 with class_weight: rows of probabilities have a class where",
    ),
    (
        "binary_cross_entropy",
        2,
        np.ones((4, 2)),
        "balanced",
        ParameterError,
        "class_weight with the loss 'binary_cross_entropy' and 2 outputs, expected one output",
    ),
    (
        "hinge",
        3,
        np.ones((4, 3)),
        "balanced",
        ParameterError,
        "class_weight with the loss 'hinge' and 3 outputs, expected one output",
    ),
    (
        "hinge",
        1,
        [1, -1, 1, 1],
        {0: 2},
        ParameterError,
        "a key of class_weight is 0, expected one of [-1, 1]",
    ),
    (
        "hinge",
        1,
        [1, -1, 1, 1],
        {2: 2},
        ParameterError,
        "a key of class_weight is 2, expected an integer >= -1",
    ),
    (
        "binary_cross_entropy",
        1,
        [0, 1, 0.5, 1],
        {1: 2},
        DataError,
        "y[2, 0] is 0.5, expected a label, 0 or 1",
    ),
    ("binary_cross_entropy", 1, [0, 1, 0, 1], {2: 2}, ParameterError, "a key of class_weight is 2"),
    (
        "mse",
        1,
        [0, 1, 0, 1],
        "balanced",
        ParameterError,
        "class_weight with the loss 'mse', which has no classes",
    ),
]
METHODS = ["fit", "train_on_batch", "loss_and_gradients"]


def refuses(network_class, loss, n_out, y, method, weights, error, text, state_of):
    net = network_class([2, n_out], loss=loss, seed=0)
    before = state_of(net)
    with pytest.raises(error) as caught:
        getattr(net, method)(np.ones((4, 2)), np.asarray(y), **weights)
    assert text in str(caught.value)
    assert state_of(net) == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("weights", "error", "text"), BAD_SAMPLE_WEIGHTS)
def test_bad_sample_weights(method, weights, error, text, network_class, state_of):
    given = {"sample_weight": weights}
    refuses(network_class, "mse", 1, np.ones(4), method, given, error, text, state_of)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("loss", "n_out", "y", "weights", "error", "text"), BAD_CLASS_WEIGHTS)
def test_bad_class_weights(method, loss, n_out, y, weights, error, text, network_class, state_of):
    refuses(network_class, loss, n_out, y, method, {"class_weight": weights}, error, text, state_of)


def own(output, target):
    return 0.0, np.zeros_like(output)


@pytest.mark.parametrize("given", ["sample_weight", "class_weight"])
def test_a_loss_of_the_users_own_weighs_its_rows_itself(given, network_class, state_of):
    weights, text = {given: "balanced"}, f"{given} with a custom loss, expected None"
    refuses(network_class, own, 2, np.ones(4), "fit", weights, ParameterError, text, state_of)


@pytest.mark.parametrize(
    ("sample", "label", "product"),
    [(1e-20, 1e-20, "1e-40, expected 0, or a number >= 1.18e-38"), (1e300, 1e300, "inf"), (np.inf, 0, "nan")],
)
def test_products_that_are_no_weights(sample, label, product, network_class, state_of):
    given = {"sample_weight": [sample, 1, 1, 1], "class_weight": {0: label}}
    text = f"sample_weight * class_weight[0] is {product}"
    refuses(network_class, "cross_entropy", 3, FOUR, "fit", given, DataError, text, state_of)


@pytest.mark.parametrize(("loss", "refused"), [("mse", True), ("cross_entropy", False), ("half_sse", False)])
def test_weights_times_outputs_that_overflow(loss, refused, network_class):
    """A batch of mse divides by the weights times the outputs: by a number whose inverse is normal."""
    net = network_class([2, 500], loss=loss, seed=0)
    weights, y = np.full(4, 4e36), np.zeros((4, 500))
    y[:, 0] = 1
    if refused:
        with pytest.raises(DataError, match=r"sample_weight sums to 1.6e\+37, expected .* below 1.7e\+35 "):
            net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=weights)
    else:
        net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=weights)
    for fits in (weights / 1000, [1.6e35, 1, 1, 1]):
        net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=fits)


@every_dtype
def test_weights_far_from_1(dtype, network_class, isa, rng):
    """Only their proportions count."""
    X, y = data_for((3, 5, 2), losses.mse, 20, rng)
    weights = rng.uniform(1, 3, 20)
    results = []
    for scale in (1.0, 1e-30, 1e30):
        net = make(network_class, (3, 5, 2), losses.mse, dtype)
        net.fit(X, y, sample_weight=scale * weights, batch_size=3)
        results.append(net.parameters.astype(np.float64))
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("network_class", ENGINES)
@pytest.mark.parametrize("call", ["fit", "loss_and_gradients", "minimize"])
@pytest.mark.parametrize("memory", ["parameters", "gradients"])
def test_weights_in_memory_that_a_step_writes(network_class, call, memory, rng):
    """They are what they were when the call came: also in later blocks of rows, steps and iterations."""
    X = rng.standard_normal((2000, 3))
    y = np.sin(X[:, :1])
    found = []
    for copied in (False, True):
        net = network_class([3, 600, 1], dtype="float64", seed=0)
        net.parameters[:] = np.abs(net.parameters) + 0.01
        net.loss_and_gradients(X, y)
        net.gradients[:] = np.abs(net.gradients) + 0.01
        weights = getattr(net, memory)[:2000]
        weights = weights.copy() if copied else weights
        if call == "minimize":
            pytest.importorskip("scipy")
            fastbp.minimize(net, X, y, sample_weight=weights, max_iterations=3)
        else:
            getattr(net, call)(X, y, sample_weight=weights)
        found.append((net.parameters.copy(), engine_of(net).gradients.copy()))
    np.testing.assert_array_equal(*(parameters for parameters, _ in found))
    np.testing.assert_array_equal(*(gradients for _, gradients in found))
