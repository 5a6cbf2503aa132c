"""Random streams against an independent Philox, and the row orders and weights drawn from them."""

import math
from itertools import pairwise

import numpy as np
import pytest

from fastbp import _core, activations, initializers
from fastbp._base import philox
from fastbp.exceptions import ParameterError

SEEDS = [0, 1, 12345, 2**63, 2**64 - 1]


def philox4x64(counter, key):
    """Philox4x64-10 after Salmon et al. (2011): one block of four words."""
    mask = 2**64 - 1
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c2, 2**64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return [c0, c1, c2, c3]


def test_philox_gives_the_known_answers_of_its_authors():
    assert philox4x64([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B,
    ]  # fmt: skip
    assert philox4x64([2**64 - 1] * 4, [2**64 - 1] * 2) == [
        0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_raw_is_philox_by_seed_purpose_epoch_step_and_block(seed):
    expected = [word for block in (1, 2, 3) for word in philox4x64([block, 0, 5, 2**40], [seed, 9])]
    assert philox.raw(seed, purpose=9, epoch=2**40, step=5, n=11).tolist() == expected[:11]
    assert _core.random_raw(seed, 9, 2**40, 5, 11).tolist() == expected[:11]


@pytest.mark.parametrize("seed", SEEDS)
def test_raw_is_numpys_stream(seed):
    theirs = np.random.Philox(key=np.array([seed, 1], np.uint64), counter=np.array([0, 0, 3, 2], np.uint64))
    np.testing.assert_array_equal(philox.raw(seed, 1, 2, 3, 1000), theirs.random_raw(1000))


def test_uniform_is_the_upper_53_bits():
    u = philox.uniform(1, 0, 0, 0, 1000)
    assert u.min() >= 0
    assert u.max() < 1
    np.testing.assert_array_equal(u * 2.0**53, philox.raw(1, 0, 0, 0, 1000) >> np.uint64(11))


def test_normal_has_the_moments_of_one():
    z = philox.normal(3, 0, 0, 0, 200_000)
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        assert np.mean(z**power) == pytest.approx(moment, abs=0.05)
    assert np.mean(z[::2] * z[1::2]) == pytest.approx(0, abs=0.01)
    np.testing.assert_array_equal(philox.normal(3, 0, 0, 0, 7), z[:7])


# ---- the order of the rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 10, 257])
@pytest.mark.parametrize("seed", SEEDS)
def test_permutation_has_every_row_once(seed, n):
    order = philox.permutation(seed, 4, n)
    assert sorted(order) == list(range(n))
    np.testing.assert_array_equal(_core.permutation(seed, 4, n), order)


def test_permutation_is_a_function_of_seed_and_epoch():
    orders = {
        (seed, epoch): tuple(philox.permutation(seed, epoch, 20)) for seed in range(4) for epoch in range(4)
    }
    assert len(set(orders.values())) == 16
    assert all(tuple(philox.permutation(*key, 20)) == order for key, order in orders.items())


def test_permutation_never_changes_between_versions():
    assert philox.permutation(0, 0, 10).tolist() == [0, 2, 7, 9, 1, 4, 3, 5, 6, 8]


def test_permutations_are_equally_likely():
    orders, counts = np.unique(
        [philox.permutation(5, epoch, 3) for epoch in range(6000)], axis=0, return_counts=True
    )
    assert len(orders) == 6
    assert np.abs(counts - 1000).max() < 5 * math.sqrt(1000)


# ---- weights -----------------------------------------------------------------------------------------------

VARIANCES = {"glorot": 2 / (300 + 200), "he": 2 / 300, "lecun": 1 / 300}


@pytest.mark.parametrize("family", VARIANCES)
def test_weights_have_the_variance_of_their_initializer(family):
    variance = VARIANCES[family]
    uniform, normal = (
        initializers.draw(f"{family}_{shape}", 1, 0, 300, 200) for shape in ("uniform", "normal")
    )
    for W in (uniform, normal):
        assert W.shape == (300, 200)
        assert W.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / W.size))
        assert W.var() == pytest.approx(variance, rel=0.03)
    limit = math.sqrt(3 * variance)
    assert 0.99 * limit < np.abs(uniform).max() <= limit < np.abs(normal).max()
    np.testing.assert_array_equal(initializers.draw(family, 1, 0, 300, 200), uniform)


@pytest.mark.parametrize(("n_in", "n_out"), [(7, 4), (4, 7), (5, 5), (1, 3)])
def test_orthogonal_weights_are(n_in, n_out):
    W = initializers.draw("orthogonal", 1, 0, n_in, n_out)
    assert W.shape == (n_in, n_out)
    product = W.T @ W if n_in >= n_out else W @ W.T
    np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-14)


def test_orthogonal_weights_prefer_no_sign():
    signs = [np.sign(initializers.draw("orthogonal", seed, 0, 2, 2)[0, 0]) for seed in range(100)]
    assert abs(sum(signs)) < 50


@pytest.mark.parametrize("name", initializers.INITIALIZERS)
def test_layers_and_seeds_draw_their_own_weights(name):
    drawn = [initializers.draw(name, seed, index, 4, 3) for seed, index in ((0, 0), (0, 1), (1, 0))]
    assert not any(np.array_equal(*pair) for pair in pairwise([*drawn, drawn[0]]))
    np.testing.assert_array_equal(initializers.draw(name, 0, 0, 4, 3), drawn[0])


@pytest.mark.parametrize(
    ("activation", "name"),
    [("relu", "he_uniform"), ("gelu", "he_uniform"), ("selu", "lecun_normal"), ("tanh", "glorot_uniform")],
)
def test_the_default_suits_the_activation(activation, name):
    assert initializers.default(activations.get(activation)) == name


def test_an_unknown_initializer_lists_the_names():
    with pytest.raises(
        ParameterError, match=r"initializer is 'xavier', expected one of: glorot_uniform, .*he"
    ):
        initializers.get("xavier")
