"""The example of cross-validation: its table, and what it finds."""

import numpy as np
import pytest

import cross_validation as example


def test_all_kinds_have_the_same_folds_and_more_units_are_better():
    results = example.measure(folds=3, seeds=2, epochs=6)
    first = results["linear"]
    for result in results.values():
        assert result["accuracy"].shape == (3, 2)
        assert not result.errors
        for fold, same in zip(result.folds, first.folds, strict=True):
            assert np.array_equal(fold.held_out, same.held_out)
    few, many = results["8 units"], results["128 units"]
    assert example.better(many, few) == 6
    assert example.better(few, many) == example.better(few, few) == 0
    assert 0.93 < many.mean["accuracy"] < 1


def test_prints_a_row_per_kind(capsys):
    assert example.main(["--folds", "2", "--seeds", "1", "--epochs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10].strip() for line in lines[2:]] == [*example.KINDS]
    assert lines[3].endswith(" of 2 fits")
    assert "nan" in lines[2]  # one seed has no spread over seeds


@pytest.mark.parametrize(("option", "value"), [("folds", 1), ("seeds", 0), ("epochs", 0)])
def test_says_what_is_wrong(option, value, capsys):
    assert example.main([f"--{option}", str(value)]) == 1
    assert f"{option} is {value}, expected" in capsys.readouterr().err
