"""`Files`: model files of an estimator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self


class Files:
    """An estimator that can be saved."""

    def save(self, path: str | os.PathLike[str], *, inference: bool = False) -> None:
        """Write the fitted estimator to a model file, which `load` reads, also in later versions of fastbp.

        The file has the network, the parameters and the attributes, so the loaded estimator predicts the same
        bits, and its fits continue like those of this one. Your functions are stored only by name. Callbacks,
        requests of metadata and attributes of your own are not in the file.

        `fastbp.load` reads the file as well, and returns the network. Its `class_names` are the classes as
        text (of two classes with one output, the second one), and its `feature_names` those of the estimator.

        Parameters
        ----------
        path : str or os.PathLike
            The file, in an existing folder; an old one is replaced.
        inference : bool
            Whether to leave out what only training needs: the optimizer's state, the curves, and what early
            stopping has counted and kept.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ParameterError
            An argument is not as above; or a parameter cannot be stored, such as a `RandomState` as
            `random_state`.
        OSError
            The file cannot be written; an old one is still the same.

        Examples
        --------
        >>> clf.save("model.safetensors")
        >>> clf = MLPClassifier.load("model.safetensors")
        """
        from fastbp.sklearn import _contents  # few need it

        _contents.save(self, path, inference=inference)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, custom: Mapping[str, Any] | None = None) -> Self:
        """Return the estimator in a model file that `save` wrote; no code in the file is executed.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        custom : mapping of str to objects, optional
            Your functions and objects by the names in the file: the ``__name__`` of a function, else the name
            of the object's class. Others are ignored. A file that was saved with inference=True can be loaded
            without functions and optimizers: `predict` works, and what needs them raises ParameterError.

        Returns
        -------
        MLPClassifier or MLPRegressor
            An estimator of the class that the method belongs to.

        Raises
        ------
        ModelFileError
            The file is damaged, comes from a later version, or contains no estimator of this class.
        ParameterError
            `custom` lacks something; the message names it.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> clf = MLPClassifier.load("model.safetensors", custom={"my_loss": my_loss})
        """
        from fastbp.sklearn import _contents  # few need it

        estimator: Self = _contents.load(cls, path, custom)
        return estimator
