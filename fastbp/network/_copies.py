"""`Copies`: copies, pickles and successors of a network."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, Self

from fastbp import _core
from fastbp._base.arguments import flag
from fastbp._base.value import Named
from fastbp._model import NOTHING, Model, resolve_seed
from fastbp.activations import Activation
from fastbp.exceptions import DataError, Error
from fastbp.layers import Dense
from fastbp.losses import Loss, LossFunction

if TYPE_CHECKING:
    from fastbp._engine.protocol import EngineClass


class Copies(Named):
    """A network that can be copied."""

    _engine_class: ClassVar[EngineClass] = _core.Engine
    _model: Model

    def clone(self) -> Self:
        """Return an independent copy, with optimizer state, history and the attributes of a subclass."""
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        _set_attributes(twin, deepcopy(_attributes(twin), {id(self): twin}))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return self._model.guard.reading(self._state)

    def _state(self) -> dict[str, Any]:
        return self._model.state() | {"attributes": _attributes(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become what `__getstate__` described; if its parts do not fit, an error changes nothing."""
        twin = object.__new__(type(self))
        try:
            model = Model.from_state(state, self._engine_class)
            _set_attributes(twin, state["attributes"])
        except (Error, MemoryError, SystemError):  # NumPy raises the last if it lacks memory
            raise
        except Exception as error:  # from parts of other types
            raise DataError(f"the state is not that of a network: {type(error).__name__}: {error}") from error
        twin._model = model
        present: Model = vars(self).get("_model", model)
        present.guard.changing("setting the state", NOTHING, self._become, twin)

    def _become(self, twin: Self) -> None:
        _set_attributes(self, _attributes(twin))
        self.__dict__ = vars(twin)

    def replace_output(
        self,
        output: int | Dense,
        *,
        loss: str | Loss | LossFunction | None = None,
        output_activation: str | Activation | None = None,
        freeze: bool = False,
        seed: int | None = None,
    ) -> Self:
        """Return a new network with the trained layers of this one and a new output layer, for another task.

        The layers below the output keep weights, options and input scaling; targets are not scaled, because
        the new ones are others: ``new.adapt(y=y)`` does it. The weights of the new layer are drawn from
        the seed. Optimizer state and history start anew, with the optimizer that was last set by
        the constructor or the attribute. The new network has the same `feature_names` and no `class_names`.
        This network does not change.

        Parameters
        ----------
        output : int or Dense
            The new output layer, or its number of units.
        loss : str, Loss or callable, optional
            Loss of the new network. Default: that of this network.
        output_activation : str or Activation, optional
            Activation of the new layer. Default: that of the layer, or of the loss.
        freeze : bool
            Whether to freeze all layers below the output. Otherwise they are as trainable as before.
        seed : int, >= 0 and < 2**64, optional
            Seed of the new network. Default: that of this network.

        Returns
        -------
        Network
            Of the same class, with copies of the attributes of a subclass.

        Raises
        ------
        ParameterError
            An argument is not as above, or loss and output layer do not fit each other.
        BusyError
            Another thread is changing the network.
        """
        from fastbp._training import transfer  # few need it

        model = self._model
        architecture = model.architecture.with_output(
            output, loss=loss, output_activation=output_activation, freeze=flag("freeze", freeze)
        )
        seed = model.seed if seed is None else resolve_seed(seed)
        made: Model = model.guard.reading(transfer.with_output, model, architecture, seed)
        return self._around(made)

    def _around(self, model: Model) -> Self:
        """Return a network like this one around another model; attributes of a subclass are copied."""
        other = object.__new__(type(self))
        other._model = model
        _set_attributes(other, deepcopy(_attributes(self), {id(self): other}))
        return other


def _attributes(net: object) -> dict[str, Any]:
    """Return the attributes, also those in slots, that `Network` itself does not set."""
    found = object.__getstate__(net)  # a dict, with slots a pair of dicts, or None if there are none
    named, slots = found if isinstance(found, tuple) else (found, {})
    return {name: value for name, value in ((named or {}) | slots).items() if name != "_model"}


def _set_attributes(net: object, attributes: Mapping[str, Any]) -> None:
    """Give a network these attributes, running no code of a subclass: they were set once before."""
    for name, value in attributes.items():
        object.__setattr__(net, name, value)
