"""The type `Converted`, of a field whose constructor takes another type than the field has.

Type checkers alone read it: import it under TYPE_CHECKING.
"""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar, overload

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)


class Converted(Generic[Given, Kept]):
    """Type of a field that is `Kept`, from an argument that is `Given`.

    Signatures show `Given`, which is written without a comma; the annotation of the class becomes `Kept`.
    """

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Kept: ...
    def __get__(self, instance: object, owner: type) -> Any:
        raise NotImplementedError

    def __set__(self, instance: object, value: Given) -> None: ...
