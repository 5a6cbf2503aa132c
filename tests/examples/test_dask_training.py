"""The example with Dask: what it writes, and that its cluster and this process train to the same bits."""

import numpy as np
import pytest

import dask_training as example
import fastbp
from fastbp.datasets import load_digits


def test_shards_are_all_rows_in_order(tmp_path):
    images, labels = load_digits()
    files = example.write(tmp_path / "new", "some", images, labels, example.SHARDS)
    parts = [example.read(*pair) for pair in files]
    np.testing.assert_array_equal(np.concatenate([X for X, _ in parts]), images / np.float32(16))
    np.testing.assert_array_equal(np.concatenate([y for _, y in parts]), labels)
    assert [len(X) for X, _ in parts] == [719, 539, 359, 180]  # 0.4, 0.3, 0.2 and 0.1 of 1797


def test_it_trains_on_workers_and_here_to_the_same_bits(tmp_path, capsys):
    pytest.importorskip("distributed", reason="Dask is not installed")
    assert example.main(["--epochs", "5", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "1151 rows in 4 shards" in printed
    assert printed.endswith("the same bits: True\n")
    accuracy = float(printed.split("test rows: ")[1].split("%")[0])
    assert accuracy > 88
    saved = fastbp.load(tmp_path / "digits.safetensors")
    assert len(saved.history) == 5


def test_refuses_to_do_nothing(capsys):
    with pytest.raises(SystemExit):
        example.main(["--workers", "0"])
    assert "--workers and --epochs must be at least 1" in capsys.readouterr().err
