"""The parts of the docstrings that the estimators share."""

from __future__ import annotations

from inspect import cleandoc
from types import FunctionType
from typing import TypeVar

Class = TypeVar("Class", bound=type)

PARAMETERS = """\
hidden_layer_sizes : int or list of int, >= 1
    Units of each hidden layer; an empty list means no hidden layer.
activation : str or Activation, or a list with one per hidden layer
    scikit-learn's "identity", "logistic", "tanh", "relu", or one of `fastbp.activations`.
solver : "adam", "sgd" or "lbfgs"
    Adam, stochastic gradient descent, or L-BFGS on all rows (through SciPy).
alpha : float, >= 0
    Strength of the penalty alpha / 2 * sum(W^2), which is divided by the number of rows in the batch, or by
    the sum of their weights.
batch_size : int, >= 1, or "auto"
    Rows per step; "auto" is min(200, n).
learning_rate : str, Schedule or function of the epoch
    "constant"; for sgd "invscaling", learning_rate_init / (rows seen + 1)^power_t, or "adaptive", which
    divides the rate by 5 instead of stopping, down to 1e-6. The schedules of fastbp by name run from
    learning_rate_init over all steps of max_iter epochs: "cosine", "one_cycle", "step" (a tenth after each
    third of the steps), "exponential" (to a hundredth) and "inverse_scaling" (by power_t). Or a value of
    `fastbp.schedules`, or a function of the epoch.
learning_rate_init : float, > 0
    Initial learning rate of adam and sgd.
power_t : float, >= 0
    Exponent of "invscaling" and "inverse_scaling".
max_iter : int, >= 1
    Maximum number of epochs; for lbfgs, of iterations.
shuffle : bool
    Whether each epoch visits the rows in a new random order.
random_state : int, RandomState or None
    Determines the initial weights, the split of early stopping, and the seed of the network, which orders
    the rows.
tol : float, >= 0
    Smallest improvement that counts; see `n_iter_no_change`. lbfgs stops when no element of the gradient is
    larger.
verbose : bool or int
    Whether to print a line per epoch.
warm_start : bool
    Whether `fit` continues the last one: with its weights, optimizer state and random order of rows. Two
    fits of 10 epochs then give the bits of one fit of 20, unless early stopping splits rows off. If
    parameters of the network itself have changed, only the weights are kept.
momentum : float, >= 0 and < 1
    Momentum of sgd.
nesterovs_momentum : bool
    Whether sgd uses Nesterov's momentum.
early_stopping : bool
    Whether the validation score decides when to stop, and which epoch's weights are kept.
validation_fraction : float, >= 0 and < 1
    Share of the rows that early stopping holds out, if `fit` gets no X_val.
beta_1, beta_2 : float, >= 0 and < 1
    Decay rates of adam.
epsilon : float, > 0
    Number added to the denominator of adam.
n_iter_no_change : int, >= 1, or infinity
    Training stops after more than this many epochs in a row in which the training loss, or with early
    stopping the validation score, did not improve by at least tol.
max_fun : int, >= 1
    Maximum number of times that lbfgs computes the loss.
output_activation : str or Activation, optional
    Activation of the outputs. Default: that of the loss.
optimizer : str or Optimizer, optional
    An optimizer of `fastbp.optimizers` instead of `solver`, whose parameters (solver, learning_rate,
    learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon, max_fun) must then
    have their defaults. Its fields can be set by name: ``set_params(optimizer__learning_rate=0.01)``.
dropout : float, >= 0 and < 1, or a list with one per hidden layer
    Share of a hidden layer's outputs that training sets to 0.
scoring : str or callable, optional
    Validation score, as in `sklearn.model_selection.cross_val_score`; or "loss". Default: that of `score`.
"""

ATTRIBUTES = """\
network_ : fastbp.Network
    The fitted network.
coefs_, intercepts_ : list of arrays
    Weights (n_in, n_out) and biases (n_out,) per layer: views of those of the network. Arrays that you
    assign replace them.
loss_ : float
    Loss of the last epoch, or at the end of lbfgs.
best_loss_ : float or None
    The lowest loss; None with early stopping.
loss_curve_ : list of float
    Loss of each epoch; not for lbfgs.
validation_scores_ : list of float, or None
    Score of the validation data after each epoch; None without validation data.
validation_loss_curve_ : list of float, or None
    Loss of the validation data after each epoch.
best_validation_score_ : float or None
    The highest of the scores.
converged_ : bool
    Whether a stopping rule has ended the training, rather than `max_iter`.
n_iter_ : int
    Epochs of the last `fit`.
t_ : int
    Rows seen in training.
n_layers_ : int
    Number of layers, the inputs and the outputs included.
n_outputs_ : int
    Number of outputs of the network.
out_activation_ : str
    Activation of the outputs.
n_features_in_ : int
    Number of inputs.
feature_names_in_ : array (n_features_in_,)
    Names of the inputs, if X was a data frame whose columns have names.
"""

PARTS = {
    "{parameters}": PARAMETERS,
    "{attributes}": ATTRIBUTES,
    "{X}": """\
X : array_like, data frame or sparse matrix (n, n_in)
    Inputs. float32 is kept; other types are converted to float64.
""",
    "{sample_weight}": """\
sample_weight : array_like (n,), optional
    Weight >= 0 of each row.
""",
    "{validation}": """\
X_val, y_val, sample_weight_val : optional
    Validation data, whose loss and score are measured after each epoch. With early_stopping=True, they
    replace the rows that would be split off.
""",
    "{fitted}": """\
Returns
-------
self

Raises
------
ValueError
    A parameter or an argument is not as described, or the training diverged.
""",
}


def documented(cls: Class) -> Class:
    """Put the shared parts into the docstrings of a class and of its methods."""
    cls.__doc__ = _filled(cls.__doc__)
    for method in vars(cls).values():
        function = getattr(method, "fn", method)  # of `available_if`
        if isinstance(function, FunctionType) and function.__doc__:
            function.__doc__ = _filled(function.__doc__)
    return cls


def _filled(text: str | None) -> str:
    filled = cleandoc(text or "")
    for place, part in PARTS.items():
        filled = filled.replace(place, part.rstrip())
    return filled
