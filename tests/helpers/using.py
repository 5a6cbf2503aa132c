"""What may be done with a network, whatever state it is in."""

import pickle

import numpy as np

import fastbp

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)


def use(net):
    """Do with a network what may be done."""
    n_in, n_out = net.layers[0].n_in, net.layers[-1].n_out
    if n_in + n_out > 10**5:
        return  # the rows alone would fill the memory
    rows, target = np.ones((8, n_in)), np.ones((8, n_out))
    for call in (
        lambda: net.predict(rows),
        lambda: net.predict(rows.astype(np.float32)),
        lambda: net.predict(X),
        lambda: net.train_on_batch(rows, target),
        lambda: net.fit(rows, target, epochs=3, batch_size=4),
        lambda: net.backward(net.forward(rows)),
        lambda: net.step(),
        lambda: net.evaluate(rows, target),
        lambda: net.learning_rate,
        lambda: repr(net),
        lambda: net.clone().predict(rows),
        lambda: pickle.loads(pickle.dumps(net)).predict(rows),
        lambda: net.reset(),
        lambda: net.fit(X, X[:, :2], epochs=2, batch_size=4),
        lambda: fastbp.minimize(net, rows, target, max_iterations=2),
    ):
        try:
            call()
        except Exception as error:
            print(type(error).__name__)
