"""TensorBoard: event files that TensorBoard reads back; errors before training."""

import sys

import pytest

from fastbp import ParameterError
from fastbp.callbacks import TensorBoard


@pytest.fixture
def events():
    """Read the curves in a folder: for each, pairs of the step and the number."""
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )

    def events(folder):
        found = module.EventAccumulator(str(folder))
        found.Reload()
        tags = found.Tags()
        numbers = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in tags["scalars"]}
        for tag in tags["tensors"]:
            numbers[tag] = [(e.step, e.tensor_proto.float_val[0]) for e in found.Tensors(tag)]
        return numbers

    return events


def test_curves_of_two_fits(make, data, tmp_path, events):
    net = make()
    for _ in range(2):
        net.fit(*data, epochs=3, validation_data=data, callbacks=TensorBoard(tmp_path / "run"))
    found = events(tmp_path / "run")
    assert {*found} == {"loss", "validation_loss", "validation_r2", "learning_rate"}
    for name, points in found.items():
        assert [step for step, _ in points] == list(range(6))
        assert [value for _, value in points] == pytest.approx(net.history[name], rel=1e-6)


def test_a_folder_that_cannot_be_made_is_refused(make, data, state_of, tmp_path, events):
    (tmp_path / "file").write_text("")
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=r"^log_dir is '.*file', expected a folder to write to"):
        net.fit(*data, callbacks=TensorBoard(tmp_path / "file"))
    assert (state_of(net), net.history.stopped) == (before, "")


def test_without_a_package_that_writes_event_files(make, data, state_of, tmp_path, monkeypatch):
    for module in ("tensorboard", "tensorboard.summary", "tensorboardX"):
        monkeypatch.setitem(sys.modules, module, None)
    net = make()
    before = state_of(net)
    with pytest.raises(ImportError, match=r"needs .* tensorboardX: pip install \"fastbp\[tensorboard\]"):
        net.fit(*data, callbacks=TensorBoard(tmp_path))
    assert state_of(net) == before


def test_paths_that_are_refused():
    with pytest.raises(ParameterError, match=r"^log_dir is 3, expected a path"):
        TensorBoard(3)
