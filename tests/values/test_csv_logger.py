"""CSVLogger: a line per epoch, while the fit is under way; files that it refuses."""

import csv
import os
from pathlib import Path

import pytest

import fastbp
from fastbp import ParameterError
from fastbp.callbacks import CSVLogger, EpochState


def read(path):
    """Return the columns of a CSV file as lists of text."""
    with open(path, newline="") as file:
        header, *lines = csv.reader(file)
    return {name: [line[i] for line in lines] for i, name in enumerate(header)}


@pytest.mark.parametrize("kind", [str, Path])
def test_a_line_per_epoch(make, data, tmp_path, kind):
    path = tmp_path / "log.csv"
    history = make().fit(*data, epochs=3, validation_data=data, callbacks=CSVLogger(kind(path)))
    found = read(path)
    assert list(found) == ["epoch", *history]
    assert found["epoch"] == ["0", "1", "2"]
    for name in history:
        assert [float(entry) for entry in found[name]] == history[name]


def test_each_line_is_there_when_its_epoch_ends(make, data, tmp_path):
    path, lengths = tmp_path / "log.csv", []
    look = lambda state: lengths.append(len(path.read_text().splitlines()))  # noqa: E731
    make().fit(*data, epochs=3, callbacks=[CSVLogger(path), look])
    assert lengths == [2, 3, 4]


def test_an_error_leaves_the_lines_of_the_epochs_before(make, data, tmp_path):
    path = tmp_path / "log.csv"

    def fail(state):
        if state.epoch == 1:
            raise LookupError

    with pytest.raises(LookupError):
        make().fit(*data, epochs=3, callbacks=[CSVLogger(path), fail])
    assert read(path)["epoch"] == ["0", "1"]


def test_it_replaces_the_file_or_goes_on(make, data, tmp_path):
    path, net = tmp_path / "log.csv", make()
    for append, expected in ((True, 2), (True, 4), (False, 2), (True, 4)):
        net.fit(*data, epochs=2, callbacks=CSVLogger(path, append=append))
        assert read(path)["epoch"] == [str(epoch) for epoch in range(expected)]
    assert read(path)["loss"] == [repr(loss) for loss in net.history.loss[4:]]


def test_columns_with_odd_names(make, data, tmp_path):
    def odd(output, target):
        return 1.0

    odd.__name__ = 'a,"b"'
    make().fit(*data, validation_data=data, metrics=odd, callbacks=CSVLogger(tmp_path / "log.csv"))
    assert read(tmp_path / "log.csv")['validation_a,"b"'] == ["1.0"]


def test_what_was_not_measured_is_empty(tmp_path):
    history = fastbp.History({"loss": [], "validation_loss": []})
    state = EpochState(None, None, history, 1, lambda epoch: True)
    writer = CSVLogger(tmp_path / "log.csv").begin({})
    writer.on_fit_begin(state)
    history._append({"loss": [0.5]}, 1)
    state.measured = ["loss"]
    writer.on_epoch_end(state)
    writer.on_fit_end(state)
    assert (tmp_path / "log.csv").read_text() == "epoch,loss,validation_loss\n0,0.5,\n"


def refused(net, data, logger, message):
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, callbacks=logger)


def test_files_that_cannot_be_written_are_refused_before_training(make, data, state_of, tmp_path):
    net = make()
    before = state_of(net)
    for path in (tmp_path / "none" / "log.csv", tmp_path):
        refused(net, data, CSVLogger(path), r"^path is '.*', expected a file to write to: \[Errno")
    assert (state_of(net), net.history.stopped) == (before, "")
    assert os.listdir(tmp_path) == []


def test_a_file_with_other_columns_is_refused(make, data, state_of, tmp_path):
    path, net = tmp_path / "log.csv", make()
    net.fit(*data, validation_data=data, callbacks=CSVLogger(path))
    before, text = state_of(net), path.read_text()
    refused(net, data, CSVLogger(path, append=True), "a file with the columns .*, expected epoch,loss,learn")
    assert (state_of(net), path.read_text()) == (before, text)


def test_a_file_that_is_no_text_is_refused(make, data, state_of, tmp_path):
    path, net = tmp_path / "log.csv", make()
    path.write_bytes(b"\xff\xfe")
    before = state_of(net)
    refused(net, data, CSVLogger(path, append=True), r"^path is '.*', expected a file to write to: 'utf-8'")
    assert (state_of(net), path.read_bytes()) == (before, b"\xff\xfe")


def test_a_last_line_without_an_end(make, data, tmp_path):
    path, net = tmp_path / "log.csv", make()
    net.fit(*data, callbacks=CSVLogger(path))
    path.write_text(path.read_text().rstrip())
    net.fit(*data, callbacks=CSVLogger(path, append=True))
    assert read(path)["epoch"] == ["0", "1"]


@pytest.mark.parametrize("path", [None, 3, "", b"log.csv", "a\0b", "a\ud800b"])
def test_paths_that_are_refused(path):
    with pytest.raises(ParameterError, match=r"^path is .*, expected a path: a string or an os.PathLike"):
        CSVLogger(path)
