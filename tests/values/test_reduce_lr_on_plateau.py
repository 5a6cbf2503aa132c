"""ReduceLROnPlateau: the learning rates it sets; the arguments that both monitoring callbacks refuse."""

import numpy as np
import pytest

import fastbp
from fastbp import SGD, ParameterError
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from helpers.callbacks import stop_after


@pytest.mark.parametrize("greater_is_better", [False, True])
@pytest.mark.parametrize("options", [{}, {"min_delta": 0.3}, {"min_delta": 0.1, "relative": True}])
@pytest.mark.parametrize("patience", [1, 3])
def test_rates_are_those_of_pytorch(make, data, rng, torch, greater_is_better, options, patience):
    """PyTorch waits one epoch longer."""
    values = np.round(rng.exponential(size=60), 1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        "max" if greater_is_better else "min",
        factor=0.5,
        patience=patience - 1,
        threshold=options.get("min_delta", 0.0),
        threshold_mode="rel" if options.get("relative") else "abs",
        min_lr=1e-4,
        eps=0,
    )
    expected = []
    for value in values:
        expected.append(optimizer.param_groups[0]["lr"])
        theirs.step(value)
    coming = iter(values)

    def measure(output, target):
        return next(coming)

    measure.greater_is_better = greater_is_better
    reduce = ReduceLROnPlateau(
        "validation_measure", factor=0.5, patience=patience, min_learning_rate=1e-4, **options
    )
    net = make(optimizer="sgd")
    history = net.fit(*data, epochs=60, validation_data=data, metrics=measure, callbacks=reduce)
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-12)
    assert min(expected) == 1e-4


def test_a_rate_below_the_least_stays(make, data):
    reduce = ReduceLROnPlateau("loss", patience=1, min_delta=1e9, min_learning_rate=0.1)
    assert make(optimizer="sgd").fit(*data, epochs=4, callbacks=reduce).learning_rate == [0.01] * 4


def test_a_reduction_ends_a_schedule(make, data):
    falling = fastbp.schedules.Exponential(learning_rate=0.5, decay=0.5)
    net = make(optimizer=SGD(learning_rate=falling))
    callbacks = [ReduceLROnPlateau("loss", patience=1, min_delta=1e9), stop_after(4)]
    history = net.fit(*data, epochs=9, batch_size=None, callbacks=callbacks)
    np.testing.assert_allclose(history.learning_rate, [0.5, 0.25, 0.0125, 0.00125], rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (ReduceLROnPlateau, {"factor": 1}, "factor is 1"),
        (ReduceLROnPlateau, {"min_learning_rate": -1}, "min_learning_rate is -1"),
        (ReduceLROnPlateau, {"patience": 0}, "patience is 0"),
        (EarlyStopping, {"patience": 0}, "patience is 0"),
        (EarlyStopping, {"min_delta": -1}, "min_delta is -1"),
        (EarlyStopping, {"relative": 1}, "relative is 1, expected True or False"),
        (EarlyStopping, {"restore_best": None}, "restore_best is None, expected True or False"),
    ],
)
def test_values_check_their_arguments(value, options, message):
    with pytest.raises(ParameterError, match=message):
        value(**options)


@pytest.mark.parametrize("value", [EarlyStopping, ReduceLROnPlateau])
@pytest.mark.parametrize(
    ("monitor", "validated", "message"),
    [
        ("validation_loss", False, "monitor is 'validation_loss', expected one of: loss$"),
        ("accuracy", True, "monitor is 'accuracy', expected one of: loss, validation_loss, validation_r2$"),
        ("seconds", False, "monitor is 'seconds', expected one of: loss$"),
    ],
)
def test_a_column_that_will_not_be_is_refused_before_training(
    make, data, state_of, value, monitor, validated, message
):
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, validation_data=data if validated else None, callbacks=value(monitor))
    assert state_of(net) == before
