"""Model files of estimators: that of the network, and what the estimator knows beside it.

The part "estimator" of the header has the name of the class, its parameters, the classes, the names of the
features, and the counts of the training. Curves and kept weights are tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from fastbp._base.arguments import flag
from fastbp._base.shown import shown
from fastbp._model_file import contents, values
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import (
    JSON,
    MisfitError,
    describing,
    expect,
    float_of,
    inside,
    refuse_others,
    strings,
    take,
    take_or_none,
)
from fastbp.exceptions import ModelFileError
from fastbp.network import Network
from fastbp.sklearn import _described
from fastbp.sklearn._fitting import scored_by
from fastbp.sklearn._parameters import base_of

PART = "estimator"
_KEYS = ("class", "parameters", "classes", "feature_names", "fitted")
_TENSORS = f"extra.{PART}."  # what the names of the tensors begin with

# Attributes that training leaves. A fit that did not measure one has None for it, or lacks it.
_COUNTS = ("n_iter_", "t_", "_no_improvement_count")
_FLAGS = ("converged_",)
_NUMBERS = ("loss_", "best_loss_", "best_validation_score_")
_CURVES = ("loss_curve_", "validation_scores_", "validation_loss_curve_")
_BEST = "_best_parameters"
_FOR_TRAINING = ("_no_improvement_count", *_CURVES, _BEST)  # files for inference have none of these


# ---- writing -----------------------------------------------------------------------------------------------


def save(estimator: Any, path: Any, *, inference: Any = False) -> None:
    """Write a fitted estimator to a model file.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Other attributes than those of fastbp and scikit-learn are not written, and neither are callbacks and
        requests of metadata.
    path : str or os.PathLike
        The file, in an existing folder; an old one is replaced.
    inference : bool
        Whether to leave out what only training needs.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.
    ParameterError
        An argument is not as above, or a file cannot hold the classes or a parameter: a `RandomState`.
    OSError
        The file cannot be written; an old one is still the same.
    """
    check_is_fitted(estimator)
    inference = flag("inference", inference)
    model = _named_network(estimator)._model
    left_out = _FOR_TRAINING if inference else ()
    attributes = {name: value for name, value in vars(estimator).items() if name not in left_out}

    def extra(named: Named) -> dict[str, JSON]:
        return {PART: _description(estimator, attributes, named)}

    tensors = _arrays(attributes)
    model.guard.reading(
        partial(contents.write, path, model, inference=inference, extra=extra, tensors=tensors)
    )


def _named_network(estimator: Any) -> Network:
    """Return the network with the names of features and classes that it can have; a copy if it has others."""
    network: Network = estimator._synced()
    n_in, n_out = network.layers[0].n_in, network.layers[-1].n_out
    names = getattr(estimator, "feature_names_in_", np.array([])).tolist()
    classes = [str(label) for label in getattr(estimator, "classes_", np.array([])).tolist()]
    if n_out == 1:
        classes = classes[1:]  # the output stands for the second class
    wanted = [
        tuple(given) if len({*given}) == len(given) == n else None
        for given, n in ((names, n_in), (classes, n_out))
    ]
    if [network.feature_names, network.class_names] != wanted:
        network = network.clone()
        network.feature_names, network.class_names = wanted
    return network


def _description(estimator: Any, attributes: Mapping[str, Any], named: Named) -> dict[str, JSON]:
    """Return the part of the header; functions get names of `named`."""
    parameters = estimator.get_params(deep=False)
    names = attributes.get("feature_names_in_")
    return {
        "class": base_of(type(estimator)).__name__,
        "parameters": {name: _described.encode(name, value, named) for name, value in parameters.items()},
        "classes": _described.encode_classes(attributes["classes_"], attributes["_kind"])
        if isinstance(estimator, ClassifierMixin)
        else None,
        "feature_names": None if names is None else names.tolist(),
        "fitted": _numbers(attributes, named),
    }


def _numbers(attributes: Mapping[str, Any], named: Named) -> dict[str, JSON]:
    """Return the attributes that are numbers, or None."""
    found: dict[str, JSON] = {}
    for names, convert in ((_COUNTS, index), (_FLAGS, bool), (_NUMBERS, float)):
        for name in [name for name in names if name in attributes]:
            value = attributes[name]
            found[name] = None if value is None else values.encode(convert(value), named)
    return found | {name: None for name in _CURVES if name in attributes and attributes[name] is None}


def _arrays(attributes: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the tensors by their names in the file."""
    found = {name: np.array(attributes[name], float) for name in _CURVES if attributes.get(name) is not None}
    if _BEST in attributes:
        found[_BEST] = attributes[_BEST]
    return {_TENSORS + name: array for name, array in found.items()}


# ---- reading -----------------------------------------------------------------------------------------------


def load(cls: Any, path: Any, custom: Any = None) -> Any:
    """Return the estimator in a model file that `save` wrote; no code in the file is executed.

    Parameters
    ----------
    cls : type
        Class of the estimator: that in the file, or one derived from it, whose constructor is called.
    path : str or os.PathLike
        The file.
    custom : mapping of str to objects, optional
        The user's functions and objects by the names in the file, like that of `fastbp.load`.

    Raises
    ------
    ModelFileError
        The file is damaged, or contains no such estimator.
    ParameterError
        `custom` lacks something; the message names it.
    OSError
        The file cannot be read.
    """
    given = Given(custom, path)
    saved = contents.read(given, Network._engine_class)
    part = saved.extra.get(PART)
    if part is None:
        raise ModelFileError(
            f"{given.path} contains a network without an estimator, expected a file that {cls.__name__}.save "
            "has written: fastbp.load(path) returns the network"
        )
    try:
        return _estimator(cls, expect(part, PART, dict), saved, given)
    except MisfitError as error:
        raise ModelFileError(f"{given.path} contains no valid {cls.__name__}: {error}") from error


def _estimator(cls: Any, part: dict[str, Any], saved: contents.Saved, given: Given) -> Any:
    """Return the estimator that the part of the header describes."""
    refuse_others(part, PART, _KEYS)
    kind = take(part, PART, "class", str)
    expected = base_of(cls).__name__
    if kind != expected:
        raise MisfitError(f"{PART}.class is {shown(kind)}, expected {expected}")
    where = f"{PART}.parameters"
    parameters = take(part, PART, "parameters", dict)
    refuse_others(parameters, where, cls._get_param_names())
    decoded = {
        name: _described.decode(name, node, inside(where, name), given) for name, node in parameters.items()
    }
    with describing(where):
        estimator = cls(**decoded)
    network = object.__new__(Network)
    network._model = saved.model
    found = _names(part, network) | _classes(cls, part, network)
    found |= _fitted(take(part, PART, "fitted", dict), f"{PART}.fitted")
    found |= _curves(saved.tensors, network)
    for name, value in found.items():
        setattr(estimator, name, value)
    estimator._install(network)
    estimator._scored_by = scored_by(estimator)
    return estimator


def _names(part: dict[str, Any], network: Network) -> dict[str, Any]:
    """Return the attributes that belong to the inputs."""
    where, found = f"{PART}.feature_names", {"n_features_in_": network.layers[0].n_in}
    names = take_or_none(part, PART, "feature_names", list)
    if names is None:
        return found
    if len(strings(names, where)) != network.layers[0].n_in:
        raise MisfitError(f"{where} has {len(names)} names, expected {network.layers[0].n_in}")
    return found | {"feature_names_in_": np.array(names, object)}


def _classes(cls: type, part: dict[str, Any], network: Network) -> dict[str, Any]:
    """Return the attributes that belong to the classes, of which a regressor has none."""
    where, node = f"{PART}.classes", take_or_none(part, PART, "classes", dict)
    if (node is None) is issubclass(cls, ClassifierMixin):
        raise MisfitError(f"{where} is {shown(node)}, expected {'an object' if node is None else 'null'}")
    if node is None:
        return {}
    classes, kind = _described.decode_classes(node, where)
    n, n_out = len(classes), network.layers[-1].n_out
    if n_out != max(n, 2) and not (kind == "binary" and n <= 2 and n_out == 1):
        raise MisfitError(f"{where} has {n} classes, {kind}, which do not fit {n_out} outputs")
    return {"classes_": classes, "_kind": kind}


def _fitted(node: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the attributes that are numbers, or None."""
    refuse_others(node, where, (*_COUNTS, *_FLAGS, *_NUMBERS, *_CURVES))
    found: dict[str, Any] = {}
    for name, value in node.items():
        place = inside(where, name)
        if name in _COUNTS:
            found[name] = expect(value, place, int)
        elif name in _FLAGS:
            found[name] = expect(value, place, bool)
        elif value is None:
            found[name] = None
        elif name in _NUMBERS:
            found[name] = float_of(value, place)
        else:
            raise MisfitError(f"{place} is {shown(value)}, expected null")
    return found


def _curves(tensors: Mapping[str, NDArray[Any]], network: Network) -> dict[str, Any]:
    """Return the attributes that are tensors in the file."""
    found: dict[str, Any] = {}
    for full, array in tensors.items():
        name = full.removeprefix(_TENSORS)
        if name in _CURVES and array.ndim == 1 and array.dtype == np.float64:
            found[name] = array.tolist()
        elif name == _BEST and (array.dtype, array.shape) == (network.dtype, network.parameters.shape):
            found[name] = array
        elif full.startswith(_TENSORS):
            raise MisfitError(f"the tensor {shown(full)}, {array.dtype} {array.shape}, is unexpected")
    return found
