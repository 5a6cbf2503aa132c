"""The example of calibration: its counting, its data, and what both losses learn."""

import numpy as np
import pytest

import calibration as example


def test_shares_of_exact_quantiles_are_the_levels():
    y = (np.arange(1000) + 0.5) / 1000
    exact = example.Predicted(np.tile(example.LEVELS, (1000, 1)), np.full(1000, 0.5))
    np.testing.assert_allclose(example.reliability(exact, y), example.LEVELS, atol=1e-12)
    assert example.coverage(exact, y) == pytest.approx(0.8)
    assert example.coverage(example.Predicted(exact.quantiles + 0.1, exact.center), y) == pytest.approx(0.8)
    assert example.coverage(example.Predicted(exact.quantiles + 0.3, exact.center), y) == pytest.approx(0.6)


@pytest.mark.parametrize("noise", example.NOISES)
def test_the_noise_has_mean_0_and_the_spread(noise):
    X, y = example.make_data(noise, 200_000, seed=3)
    x = X[:, 0]
    unit = (y - np.sin(3 * x)) / example.spread(x)
    for part in (x < 0, x >= 0):
        assert unit[part].mean() == pytest.approx(0, abs=0.02)
        assert unit[part].std() == pytest.approx(1, abs=0.02)


def test_who_is_calibrated():
    """Both with normal noise; with skewed noise only the quantiles, which assume nothing."""
    gaussian, quantiles = example.measure("normal", epochs=15)
    for result in (gaussian, quantiles):
        assert result.coverage == pytest.approx(0.8, abs=0.04)
        np.testing.assert_allclose(result.reliability, example.LEVELS, atol=0.05)
    gaussian, quantiles = example.measure("skewed", epochs=15)
    np.testing.assert_allclose(quantiles.reliability, example.LEVELS, atol=0.05)
    assert quantiles.coverage == pytest.approx(0.8, abs=0.04)
    assert np.abs(gaussian.reliability - example.LEVELS).max() > 0.08


def test_prints_and_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "calibration.png"
    assert example.main(["--epochs", "1", "--output", str(picture)]) == 0
    out = capsys.readouterr().out
    names = [tuple(line.split()[:2]) for line in out.splitlines()[3:7]]
    assert names == [(noise, loss) for noise in example.NOISES for loss in ("GaussianNLL", "Quantiles")]
    assert out.endswith(f"picture: {picture}\n")
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("no_matplotlib")
def test_works_without_matplotlib(tmp_path, capsys):
    picture = tmp_path / "calibration.png"
    assert example.main(["--epochs", "1", "--output", str(picture)]) == 0
    assert 'no picture without Matplotlib: pip install "fastbp[plot]"' in capsys.readouterr().out
    assert not picture.exists()


def test_refuses_to_do_nothing(capsys):
    with pytest.raises(SystemExit):
        example.main(["--epochs", "0"])
    assert "must be at least 1" in capsys.readouterr().err
