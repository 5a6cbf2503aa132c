"""Access to private parts of fastbp: the only test module that names the private attributes of a network."""

import numpy as np

import fastbp
from fastbp._data import mapped
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._model import optimizer_numbers
from fastbp._model_file import contents
from fastbp._model_file.callables import Given
from fastbp._training import snapshot
from fastbp._training.beginning import begin_of
from fastbp._training.fit import Fit
from fastbp.inspect._integrated_gradients import IntegratedGradients
from fastbp.io import _blocks, _text

#: Attributes that `Network` sets itself, which copies build again rather than share.
NETWORKS_OWN = {"_model"}


def engine_of(net):
    """Return the engine of a network."""
    return net._model.engine


def checks_of(net):
    """Return the checks of a network's arrays."""
    return net._model.checks


def to_train_on(net, X, y, **options):
    """Return X and y, and what a fit of the network checks in each batch before its step."""
    return mapped.to_train_on(checks_of(net), X, y, **options)


def schedule_of(net):
    """Return the learning-rate schedule that is in force."""
    return net._model.schedule


def prepared(engine, optimizer):
    """Return an optimizer as the engine takes it, in its first epoch."""
    return engine.prepare_optimizer(*optimizer_numbers(optimizer, optimizer.schedule(0)))


def set_optimizer(engine, optimizer):
    """Let an engine use an optimizer from now on."""
    engine.install_optimizer(prepared(engine, optimizer))


def row_weights(net, X, sample_weight=None, class_weight=None):
    """Return sample and class weights combined into one weight per row, as the engine takes them."""
    return resolve_weights(net._model.checks, X, sample_weight, class_weight)


def numbers_of(net):
    """Return parameters, optimizer state, number of steps and what else the optimizer remembers."""
    return net.__getstate__()["numbers"]


def begun(net, X, y, *, weights=None, shuffle=True, first_epoch=0, stored=False, **options):
    """Return a run through the engine over checked arrays; nothing is computed yet."""
    options |= {"shuffle": shuffle, "seed": net.seed, "first_epoch": first_epoch, "stored": stored}
    return begin_of(net._model, weights)(X, y, weights=weights, **options)


def run_of(net, X, y, *, seconds=1.0, epochs=3, sample_weight=None, **options):
    """Train through the engine, in slices of so many seconds (at least a step).

    Return parameters, optimizer state and losses as bytes, and the number of slices.
    """
    options = {"shuffle": True, "seed": net.seed, "first_epoch": 0, "epochs": epochs} | options
    if sample_weight is not None:
        options["weights"] = Weights(sample_weight, None)
    run = net._model.trainer.begin(X, y, **options)
    slices = 0
    while run.epoch < epochs:
        assert run.advance(epochs, seconds)
        slices += 1
    return net.parameters.tobytes(), engine_of(net).state.tobytes(), run.losses.tobytes(), slices


def normal_equations(net, X, y):
    """Return [J r]^T [J r] in full, (P + 1, P + 1), of which the engine computes the lower triangle."""
    n = net.parameters.size + 1
    out = np.full((n, n), np.nan, net.dtype)
    engine_of(net).normal_equations(X, y, out)
    lower = np.tril(out)
    return lower + np.tril(lower, -1).T


def after_each_slice(monkeypatch, call):
    """Let `call(epoch, step)` run whenever a fit comes back from the engine."""
    work = Fit._work

    def work_and_call(fit):
        work(fit)
        call(fit._run.epoch, fit._run.step)

    monkeypatch.setattr(Fit, "_work", work_and_call)


def replaced_slices(monkeypatch, function):
    """Let slices of fits be this function of the fit; return what they were."""
    work = Fit._work
    monkeypatch.setattr(Fit, "_work", function)
    return work


def before_each_end_of_epoch(monkeypatch, call):
    """Let `call(epoch)` run before a fit ends an epoch, with the number of epochs done."""
    end_epoch = Fit._end_epoch

    def call_and_end(fit):
        call(fit._run.epoch)
        end_epoch(fit)

    monkeypatch.setattr(Fit, "_end_epoch", call_and_end)


def take_snapshots(monkeypatch, interval, share=None):
    """Let fits take snapshots at this interval in seconds, whatever share of the time they cost."""
    monkeypatch.setattr(snapshot, "SNAPSHOT_INTERVAL", interval)
    if share is not None:
        monkeypatch.setattr(snapshot, "SNAPSHOT_SHARE", share)


def measured_epochs(history):
    """Return the indices of the epochs whose validation loss was measured."""
    return np.flatnonzero(~np.isnan(history.validation_loss)).tolist()


def comparable(part):
    """Return a part of a state as something that is equal only for the same bits."""
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.shape, part.tobytes()
    if isinstance(part, fastbp.History):
        columns = {name: np.array(column).tobytes() for name, column in part.to_dict().items()}
        return [*columns.items()], part.stopped
    if isinstance(part, dict):
        return {name: comparable(value) for name, value in part.items()}
    if isinstance(part, (tuple, list)):
        return tuple(map(comparable, part))
    return repr(part) if isinstance(part, float) else part


def state_of(net):
    """Return all of a network's state, as something that is equal only for the same bits."""
    return comparable(net.__getstate__())


def remembered_by(net):
    """Return what a network remembers for callbacks with `resume`, by their repr; writable."""
    return net._model.remembered


def callables_of(net):
    """Return the user's callables in a network, by their names in files."""
    return contents.callables_of(net._model)


def trainer_of(net):
    """Return what computes the loss of a network and trains on it: its engine, or code around it."""
    return net._model.trainer


def write_extra(path, net, extra, **options):
    """Write a model file of a network with further members in its header."""
    contents.write(path, net._model, extra=extra, **options)


def read_extra(path):
    """Return the further members in the header of a model file."""
    return contents.read(Given(None, path), fastbp.Network._engine_class).extra


def extra_tensors(path):
    """Return the tensors of the parts above `Network` in a model file."""
    return contents.read(Given(None, path), fastbp.Network._engine_class).tensors


def read_text(path, library=None, **sizes):
    """Return the columns of a text file, read by a library in blocks of other sizes."""
    before = {name: getattr(_blocks, name) for name in sizes}
    try:
        for name, size in sizes.items():
            setattr(_blocks, name, size)
        return _text.read_text(str(path), library=library)
    finally:
        for name, size in before.items():
            setattr(_blocks, name, size)


def watch_blocks(monkeypatch):
    """Return a list to which each library's name is added when it reads a block."""
    used = []
    for name, reader in [*_blocks.READERS.items()]:

        def watched(*arguments, name=name, reader=reader):
            used.append(name)
            return reader(*arguments)

        monkeypatch.setitem(_blocks.READERS, name, watched)
    return used


def set_output_gradients(monkeypatch, gradients):
    """Let integrated gradients take `gradients(u)` for the derivatives of outputs by scaled inputs u."""
    monkeypatch.setattr(IntegratedGradients, "_gradients", lambda _, u, outputs: gradients(u))
