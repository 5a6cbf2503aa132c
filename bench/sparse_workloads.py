"""Workloads on sparse rows: text in the shape of 20 newsgroups, made from a seed.

A document is a bag of words. The words have frequencies like those of a language (Zipf's law: the k-th most
frequent word has a share of about 1 / k). Each class prefers some words, so the classes can be learned. The
entries are TF-IDF as scikit-learn computes it by default, except that counts are damped:
(1 + log count) (1 + log((1 + n) / (1 + n_w))) for n documents, n_w of them with the word; then each row is
scaled to length 1. On average a row has 0.12 % of the words.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

import fastbp

RARE = 10.0  # added to the rank in Zipf's law: flattens the frequencies of the first words
PREFERRED = 0.02  # share of the words that a class prefers
PREFERENCE = 6.0  # how much more often a class has these words
TOKENS = 1.15  # words drawn per entry: some are drawn twice
SPREAD = 0.8  # of the logarithm of the length of a document


@dataclass(frozen=True)
class SparseWorkload:
    """A network, an optimizer, and the shape of the data; rows are used in their order, which is random.

    It has what the modules of `fastbp.cli.rivals` read of a `Workload`. `way` says how to compute, if the
    module of a library knows several ways. After `epochs` epochs, losses must agree within `rtol`.
    """

    name: str
    optimizer: fastbp.SGD | fastbp.Adam
    way: str = ""
    rows: int = 11_314
    words: int = 130_000
    entries: int = 158  # per row, on average
    hidden: int = 100
    classes: int = 20
    batch_size: int = 200
    epochs: int = 2
    rtol: float = 1e-3
    activation: str = "relu"
    loss: str = "cross_entropy"
    shuffle: bool = False

    def __str__(self) -> str:
        sizes, steps = "-".join(map(str, self.layers)), f"batch {self.batch_size}, {self.rows} rows"
        return f"{sizes} {self.activation}, {self.loss}, {self.name}, {steps}"

    @property
    def layers(self) -> tuple[int, int, int]:
        """Number of inputs, hidden units and classes."""
        return self.words, self.hidden, self.classes

    @property
    def batches(self) -> int:
        """Steps per epoch; the last batch is smaller."""
        return -(-self.rows // self.batch_size)

    def network(self, network_class: type[fastbp.Network] = fastbp.Network) -> fastbp.Network:
        """Return a new network of this class, always with the same initial weights."""
        return network_class(
            self.layers, activation=self.activation, loss=self.loss, optimizer=self.optimizer, seed=0
        )

    def data(self) -> tuple[sparse.csr_array, NDArray[np.int64]]:
        """Return rows (n, words) in float32 with sorted indices in int32, and labels (n,)."""
        rng = np.random.default_rng(0)
        y = rng.integers(self.classes, size=self.rows)
        lengths = rng.lognormal(np.log(TOKENS * self.entries) - SPREAD**2 / 2, SPREAD, self.rows)
        lengths = np.maximum(lengths.astype(int), 1)
        # the columns are in alphabetical order, say, not in that of the frequencies
        frequencies = 1 / (RARE + rng.permutation(self.words))  # (words,)
        rows, columns = np.repeat(np.arange(self.rows), lengths), np.empty(lengths.sum(), np.int64)
        for label in range(self.classes):
            preferred = np.where(rng.random(self.words) < PREFERRED, PREFERENCE, 1.0)
            ends = np.cumsum(frequencies * preferred)
            of_label = (y == label)[rows]  # (tokens,)
            drawn = ends[-1] * rng.random(np.count_nonzero(of_label))
            columns[of_label] = np.searchsorted(ends, drawn, side="right")
        counts = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(self.rows, self.words))
        counts.sum_duplicates()
        return tf_idf(counts), y


def tf_idf(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the counts of words (n, words) as TF-IDF with rows of length 1, in float32."""
    documents = np.bincount(counts.indices, minlength=counts.shape[1])  # with each word
    rarity = 1 + np.log((1 + counts.shape[0]) / (1 + documents))
    values = (1 + np.log(counts.data)) * rarity[counts.indices]
    squares = np.add.reduceat(values**2, counts.indptr[:-1])
    values /= np.repeat(np.sqrt(squares), np.diff(counts.indptr))
    indices, starts = counts.indices.astype(np.int32), counts.indptr.astype(np.int32)
    return sparse.csr_array((values.astype(np.float32), indices, starts), shape=counts.shape)


ADAM = SparseWorkload("Adam", fastbp.Adam(learning_rate=1e-3))
SGD = SparseWorkload("SGD", fastbp.SGD(learning_rate=1.0))
