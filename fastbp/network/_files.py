"""`Files`: model files of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from fastbp._base.arguments import flag
from fastbp.network._copies import Copies


class Files(Copies):
    """A network that can be saved."""

    def save(self, path: str | os.PathLike[str], *, inference: bool = False) -> None:
        """Write the network to a model file, which `load` reads, also in later versions of fastbp.

        The file has all that decides predictions and further training: layers, loss, weights, scaling, names
        of features and classes, optimizer with state and step count, schedule, seed, history, and what
        callbacks remember. A fit of the loaded network ends in the same bits as one of this network, if the
        instruction set is the same. Your functions, such as a custom loss or a learning rate, are stored only
        by name, and so are values of your own subclasses of fastbp's classes. The attributes of a subclass of
        `Network` are not in the file.

        The file has the safetensors layout, so other programs can read its arrays, too. A new file
        replaces an old one only when it is complete: a kill at any moment leaves the old file or the new one.

        Parameters
        ----------
        path : str or os.PathLike
            The file, in an existing folder; an old one is replaced.
        inference : bool
            Whether to leave out what only training needs: optimizer state, step count, history, and what
            callbacks remember. If the network is trained again, its optimizer starts with a new state.

        Raises
        ------
        ParameterError
            An argument is not as above.
        OSError
            The file cannot be written; an old one is still the same.
        BusyError
            Another thread is changing the network.

        Examples
        --------
        >>> net.save("model.safetensors")
        >>> net = fastbp.load("model.safetensors")
        """
        from fastbp._model_file import contents  # few need it

        model, inference = self._model, flag("inference", inference)
        model.guard.reading(partial(contents.write, path, model, inference=inference))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, custom: Mapping[str, Any] | None = None) -> Self:
        """Return the network in a model file that `save` wrote; no code in the file is executed.

        Training continues where that of the saved network stopped. `fastbp.load` makes a `Network`; the
        method of a subclass makes one of that class, and does not call its constructor.

        Parameters
        ----------
        path : str or os.PathLike
            The file. A checkpoint of a fit is one, too.
        custom : mapping of str to objects, optional
            Your functions and objects by the names in the file: the ``__name__`` of a function, else the name
            of the object's class. Others are ignored. A file that was saved with inference=True can be loaded
            without functions and optimizers: `predict` works, and what needs them raises ParameterError.

        Returns
        -------
        Network

        Raises
        ------
        ModelFileError
            The file is damaged, is no model file, or comes from a later version.
        ParameterError
            `custom` lacks something; the message names it.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> net = fastbp.load("model.safetensors", custom={"my_loss": my_loss})
        """
        from fastbp._model_file import callables, contents  # few need them

        net = object.__new__(cls)
        net._model = contents.read(callables.Given(custom, path), cls._engine_class).model
        return net

    def export_arrays(self, path: str | os.PathLike[str]) -> None:
        """Write weights, biases and scaling as plain arrays to a `.npz` file, for `numpy.load`.

        The names are those of the arrays in a model file: ``layers.0.weights`` (n_in, n_out),
        ``layers.0.biases`` (n_out,) unless the layer has none, and so on from the first layer; after `adapt`
        ``inputs.mean`` and ``inputs.scale`` (n_in,), ``targets.mean`` and ``targets.scale`` (n_targets,).

        Parameters
        ----------
        path : str or os.PathLike
            The file, with its suffix, in an existing folder; an old one is replaced.

        Raises
        ------
        ParameterError
            The path is no path.
        OSError
            The file cannot be written; an old one is still the same.
        BusyError
            Another thread is changing the network.

        Examples
        --------
        >>> net.export_arrays("weights.npz")
        >>> numpy.load("weights.npz")["layers.0.weights"].shape
        (64, 10)
        """
        from fastbp._model_file import contents  # few need it

        self._model.guard.reading(contents.export_arrays, path, self._model)
