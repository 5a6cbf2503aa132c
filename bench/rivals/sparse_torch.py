"""PyTorch on sparse rows in three ways; all batches are prepared before the clock starts.

EmbeddingBag    a weighted sum of rows of W per document; with SGD, the gradient of W is sparse, too
SparseAdam      the same with a sparse gradient: Adam for the rows of W that the batch has met, as if the
                other rows had no steps. This is another formula, so its loss is another
CSR             the product of a sparse CSR matrix and W
"""

import os
import warnings

import numpy as np
import torch
from torch.nn import functional

import fastbp
from fastbp.cli.rivals import first_parameters
from sparse_workloads import SparseWorkload

VERSION = f"PyTorch {torch.__version__}"
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.set_num_interop_threads(1)
warnings.filterwarnings("ignore", "Sparse (invariant checks|CSR tensor)")  # of rows that are valid


class Training:
    """Steps of two layers and fused optimizers, in the way that the workload names."""

    def __init__(self, workload: SparseWorkload) -> None:
        self._workload, self._way = workload, workload.way
        self._is_sgd = isinstance(workload.optimizer, fastbp.SGD)
        self._has_sparse_gradient = self._way == "SparseAdam" or (
            self._way == "EmbeddingBag" and self._is_sgd
        )
        (W, b), (V, c) = first_parameters(workload)
        self._first = [torch.from_numpy(a) for a in (W, b, np.ascontiguousarray(V.T), c)]
        self._parameters = [first.clone().requires_grad_() for first in self._first]
        X, y = workload.data()
        self._rows, labels = len(y), torch.from_numpy(y)
        starts = range(0, self._rows, workload.batch_size)
        self._batches = [
            (self._batch(X[i : i + workload.batch_size]), labels[i : i + workload.batch_size]) for i in starts
        ]

    def _batch(self, X):
        """Return rows as the way needs them: a tensor (m, words), or indices, values and starts of rows."""
        starts, indices, values = map(torch.from_numpy, (X.indptr, X.indices, X.data))
        if self._way == "CSR":
            return torch.sparse_csr_tensor(starts, indices, values, X.shape)
        return indices, values, starts[:-1]

    def reset(self) -> None:
        """Go back to the initial weights."""
        with torch.no_grad():
            for p, initial in zip(self._parameters, self._first, strict=True):
                p.copy_(initial)
        optimizer, apart = self._workload.optimizer, int(self._has_sparse_gradient)
        first, others = self._parameters[:apart], self._parameters[apart:]
        if self._is_sgd:
            kind, sparse_kind, options = torch.optim.SGD, torch.optim.SGD, {}
        else:
            kind, sparse_kind = torch.optim.Adam, torch.optim.SparseAdam
            options = {"betas": (optimizer.beta1, optimizer.beta2), "eps": optimizer.epsilon}
        options["lr"] = optimizer.learning_rate
        self._optimizers = [kind(others, fused=True, **options)]  # needs dense gradients
        if first:
            self._optimizers.append(sparse_kind(first, **options))

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        for _ in range(epochs):
            losses = [self._train_on_batch(x, t) * len(t) for x, t in self._batches]
        return float(sum(losses)) / self._rows

    def _train_on_batch(self, x, t):
        W, b, V, c = self._parameters
        for p in self._parameters:
            p.grad = None
        if self._way == "CSR":
            z = torch.sparse.mm(x, W)  # (m, hidden)
        else:
            indices, values, starts = x
            z = functional.embedding_bag(
                indices, W, starts, mode="sum", per_sample_weights=values, sparse=self._has_sparse_gradient
            )
        loss = functional.cross_entropy(functional.linear(torch.relu(z + b), V, c), t)
        loss.backward()
        for optimizer in self._optimizers:
            optimizer.step()
        return loss.detach()
