"""The training of examples/fashion_mnist.py by fastbp, PyTorch and scikit-learn, each tuned for speed.

Each library runs in its own process: ``python fashion_rivals.py torch`` loads the data, warms up and prints
"ready". Then it trains once per seed that it reads, and prints the result as a line of JSON.
`bench_fashion.py` starts these processes and asks them.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fashion_mnist
from fashion_mnist import BATCH_SIZE, EPOCHS, LEARNING_RATE

WARM_UP = 10 * BATCH_SIZE + BATCH_SIZE // 2  # rows: full batches and a shorter one, like an epoch

Array = NDArray[Any]
Classify = Callable[[Array], Array]


def fastbp(X: Array, y: Array, seed: int, epochs: int) -> Classify:
    net = fashion_mnist.make_network(seed)
    net.fit(X, y, epochs=epochs, batch_size=BATCH_SIZE)
    return net.predict_classes


def torch(X: Array, y: Array, seed: int, epochs: int) -> Classify:
    """Train with the fastest of several loops.

    index_select takes a batch faster than X[rows], and both are faster than one shuffled copy of X per epoch
    (0.44, 0.48 and 0.53 s per epoch). torch.compile takes 5 to 25 s, and 0.51 s per epoch then.
    """
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
    net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(BATCH_SIZE):
            optimizer.zero_grad(set_to_none=True)
            output = net(inputs.index_select(0, rows))
            functional.cross_entropy(output, labels.index_select(0, rows)).backward()
            optimizer.step()
    return lambda X: net(torch.from_numpy(X)).argmax(dim=1).numpy()


def scikit_learn(X: Array, y: Array, seed: int, epochs: int) -> Classify:
    """Train in float32, the dtype of X, which is 1.5 times as fast as float64."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    net = MLPClassifier(
        (128,),
        activation="relu",
        solver="adam",
        alpha=0,
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():  # a warning that so few epochs may not be enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, y)
    return net.predict


TRAIN = {"fastbp": fastbp, "torch": torch, "scikit-learn": scikit_learn}


def main(name: str) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # all use the same processor
    X, X_test, y, y_test = fashion_mnist.load(fashion_mnist.find(*fashion_mnist.FOLDERS))
    train = TRAIN[name]
    train(X[:WARM_UP], y[:WARM_UP], 0, epochs=1)
    print("ready", flush=True)
    for seed in map(int, sys.stdin):
        start = perf_counter()
        classify = train(X, y, seed, epochs=EPOCHS)
        seconds = perf_counter() - start
        accuracy = float(np.mean(classify(X_test) == y_test))
        print(json.dumps({"seconds": seconds, "accuracy": accuracy}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
