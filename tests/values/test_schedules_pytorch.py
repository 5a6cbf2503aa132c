"""Schedules train as PyTorch's do."""

from functools import cache

import numpy as np
import pytest

import fastbp
from fastbp import Adam
from fastbp.schedules import Cosine, Exponential, InverseScaling, OneCycle, Step, Warmup
from helpers.inside import engine_of, schedule_of
from helpers.pytorch import assert_same_parameters, model_of


def make(network_class, optimizer, **keywords):
    return network_class([3, 8, 2], activation="tanh", optimizer=optimizer, seed=1, **keywords)


N = 100
WARM = 8


TORCH = {
    "StepLR": (Step(0.1, every=30, factor=0.3), lambda lr, o: lr.StepLR(o, 30, 0.3)),
    "ExponentialLR": (Exponential(0.1, decay=0.97), lambda lr, o: lr.ExponentialLR(o, 0.97)),
    "CosineAnnealingLR": (Cosine(0.1, N, final=0.01), lambda lr, o: lr.CosineAnnealingLR(o, N, 0.01)),
    "CosineAnnealingWarmRestarts": (
        Cosine(0.1, 15, final=0.01, growth=1),
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 15, eta_min=0.01),
    ),
    "CosineAnnealingWarmRestarts(T_mult=3)": (
        Cosine(0.1, 9, growth=3),
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 9, T_mult=3),
    ),
    "OneCycleLR": (
        OneCycle(0.1, N),
        lambda lr, o: lr.OneCycleLR(o, 0.1, N, cycle_momentum=False),
    ),
    "OneCycleLR(...)": (
        OneCycle(0.1, N, warmup_share=0.45, start_divisor=10, final_divisor=20),
        lambda lr, o: lr.OneCycleLR(
            o, 0.1, N, pct_start=0.45, div_factor=10, final_div_factor=20, cycle_momentum=False
        ),
    ),
    "LinearLR, CosineAnnealingLR": (
        Cosine(0.1, N - WARM, final=0.01, warmup=WARM),
        lambda lr, o: lr.SequentialLR(
            o,
            [
                lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM),
                lr.CosineAnnealingLR(o, N - WARM, 0.01),
            ],
            [WARM],
        ),
    ),
    "LinearLR": (Warmup(0.1, WARM), lambda lr, o: lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM)),
    "LinearLR, ExponentialLR": (
        Warmup(Exponential(0.1, decay=0.97), WARM),
        lambda lr, o: lr.SequentialLR(
            o, [lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM), lr.ExponentialLR(o, 0.97)], [WARM]
        ),
    ),
    "LinearLR, StepLR": (
        Warmup(Step(0.1, every=30, factor=0.3), WARM),
        lambda lr, o: lr.SequentialLR(
            o, [lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM), lr.StepLR(o, 30, 0.3)], [WARM]
        ),
    ),
    "LambdaLR": (InverseScaling(0.1, power=0.7), lambda lr, o: lr.LambdaLR(o, lambda k: (k + 1) ** -0.7)),
    "LambdaLR, by epoch": (
        lambda epoch: 0.1 / (1 + epoch),
        lambda lr, o: lr.LambdaLR(o, lambda k: 1 / (1 + k)),
    ),
}


@cache
def course_in_torch(name, kind):
    """The losses and rates of 100 steps, and where they lead, for any number of engines to compare with."""
    import torch

    rng = np.random.default_rng(0)
    data, start = (rng.normal(size=(20, 3)), rng.normal(size=(20, 2))), rng.normal(size=3 * 8 + 8 + 8 * 2 + 2)
    net = make(fastbp.Network, "sgd", dtype="float64")
    net.parameters[:] = start
    model = model_of(torch, net)
    if kind == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = TORCH[name][1](torch.optim.lr_scheduler, optimizer)
    X, y = map(torch.tensor, data)
    losses, rates = [], []
    for _ in range(N):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(X), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return data, start, losses, rates, model


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.usefixtures("torch")
def test_training_is_pytorchs(name, kind, network_class):
    data, start, losses, rates, model = course_in_torch(name, kind)
    ours, _ = TORCH[name]
    optimizer = Adam(ours) if kind == "adam" else fastbp.SGD(ours, momentum=0.9)
    net = make(network_class, optimizer, loss="mse", dtype="float64")
    net.parameters[:] = start
    for loss, rate in zip(losses, rates, strict=True):
        history = net.fit(*data, batch_size=None)  # an epoch is a step
        assert history.loss[0] == pytest.approx(loss, rel=1e-9)
        assert schedule_of(net)(engine_of(net).t - 1) == pytest.approx(rate, rel=1e-9)
    assert_same_parameters(net, model)
