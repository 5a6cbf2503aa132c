"""The parts of the docstrings that the estimators share."""

from __future__ import annotations

from inspect import cleandoc
from types import FunctionType
from typing import TypeVar

Class = TypeVar("Class", bound=type)

PARAMETERS = """\
hidden_layer_sizes : int or list of int, >= 1
    Units of each hidden layer. An empty list: no hidden layer.
activation : str or Activation, or a list with one for each hidden layer
    scikit-learn's "identity", "logistic", "tanh", "relu", or one of `fastbp.activations`.
solver : "adam", "sgd" or "lbfgs"
    The optimizer: Adam, gradient descent, or L-BFGS on all rows (through SciPy).
alpha : float, >= 0
    Strength of the penalty alpha / 2 sum W^2, which is divided by the number of rows in the batch, or the sum
    of their weights.
batch_size : int, >= 1, or "auto"
    Rows per step; "auto" is min(200, n).
learning_rate : str, Schedule or function of the epoch
    "constant"; for sgd "invscaling", learning_rate_init / (rows seen + 1)^power_t, or "adaptive", which
    divides the rate by 5 where others stop, down to 1e-6. The schedules of fastbp by name run from
    learning_rate_init over all steps of max_iter epochs: "cosine", "one_cycle", "step" (a tenth after each
    third of the steps), "exponential" (to a hundredth) and "inverse_scaling" (by power_t). Or a value of
    `fastbp.schedules`, or a function of the epoch.
learning_rate_init : float, > 0
    The first learning rate of adam and sgd.
power_t : float, >= 0
    Exponent of "invscaling" and "inverse_scaling".
max_iter : int, >= 1
    Largest number of epochs; for lbfgs, of iterations.
shuffle : bool
    Whether each epoch visits the rows in a new random order.
random_state : int, RandomState or None
    Source of the initial weights, the split of early stopping, and the seed of the network.
tol : float, >= 0
    Least improvement; see `n_iter_no_change`. For lbfgs the largest element of the gradient at the end.
verbose : bool or int
    Whether to print a line per epoch.
warm_start : bool
    Whether `fit` goes on from the last one: weights, optimizer state, and orders of rows. So 10 epochs twice
    are 20 once, bit for bit, unless rows are split off. If parameters have changed that are part of the
    network, only the weights stay.
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
    Smallest denominator of adam.
n_iter_no_change : int, >= 1, or infinity
    Training stops after more than so many epochs in a row without an improvement by at least tol: of the
    training loss, or with early stopping of the validation score.
max_fun : int, >= 1
    Largest number of times that lbfgs computes the loss.
output_activation : str or Activation, optional
    Activation of the outputs. Default: that of the loss.
optimizer : str or Optimizer, optional
    An optimizer of `fastbp.optimizers` instead of `solver`, whose parameters (solver, learning_rate,
    learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon, max_fun) must then
    have their defaults. Its fields can be set by name: ``set_params(optimizer__learning_rate=0.01)``.
dropout : float, >= 0 and < 1, or a list with one for each hidden layer
    Share of a hidden layer's outputs that training sets to 0.
scoring : str or callable, optional
    Validation score, as in `sklearn.model_selection.cross_val_score`; or "loss". Default: that of `score`.
"""

ATTRIBUTES = """\
network_ : fastbp.Network
    The network, which can be used and saved without scikit-learn.
coefs_, intercepts_ : list of arrays
    Weights (n_in, n_out) and biases (n_out,) per layer: views of those of the network. Arrays that you put
    there are used.
loss_ : float
    Loss of the last epoch, or at the end of lbfgs.
best_loss_ : float or None
    The lowest loss; None with early stopping.
loss_curve_ : list of float
    Loss of each epoch; not for lbfgs.
validation_scores_ : list of float, or None
    Score on the validation data after each epoch. None: there are no such data.
validation_loss_curve_ : list of float, or None
    Loss of the validation data after each epoch.
best_validation_score_ : float or None
    The best of the scores.
converged_ : bool
    Whether a rule has stopped the training, not `max_iter`.
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
    Inputs. float32 is kept; all else becomes float64.
""",
    "{sample_weight}": """\
sample_weight : array_like (n,), optional
    Weight >= 0 of each row.
""",
    "{validation}": """\
X_val, y_val, sample_weight_val : optional
    Validation data, whose loss and score are measured after each epoch. With early_stopping=True they take
    the place of the rows split off.
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
