"""Formulas of back-propagation with their numbers, written as text, as LaTeX and as HTML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from html import escape
from typing import ClassVar, NamedTuple, TypeAlias

from fastbp._base.names import LONGEST, line
from fastbp.inspect._names import numbered

DIGITS = 4  # significant ones of each number


class Symbol(NamedTuple):
    """A letter with the numbers of its units: x, y, z, h, t, w, b, J, "delta", or "f'" for f'(z)."""

    letter: str
    units: tuple[int, ...] = ()


class Ratio(NamedTuple):
    """The derivative of one symbol by another."""

    top: Symbol
    bottom: Symbol


Quantity: TypeAlias = Symbol | Ratio
Known: TypeAlias = tuple[Quantity, float]  # and its value


class Term(NamedTuple):
    """A product in a sum, added or subtracted."""

    factors: tuple[Known, ...]
    is_subtracted: bool = False


class Step(NamedTuple):
    """left = factors * (terms + more) / divisor, where `rest` is the sum of the terms left out."""

    left: Quantity
    value: float
    factors: tuple[Known, ...] = ()
    terms: tuple[Term, ...] = ()
    more: int = 0
    rest: float = 0.0
    divisor: float = 1.0


class Notation(ABC):
    """A way to write formulas."""

    beside: str  # between symbols that are multiplied
    times: str  # between numbers
    minus: str

    @abstractmethod
    def symbol(self, symbol: Symbol) -> str:
        """Return a symbol with its units."""

    @abstractmethod
    def ratio(self, top: str, bottom: str) -> str:
        """Return d top / d bottom."""

    @abstractmethod
    def number(self, x: float) -> str:
        """Return a number to `DIGITS` digits."""

    @abstractmethod
    def group(self, inner: str) -> str:
        """Return an expression in parentheses."""

    @abstractmethod
    def more(self, n: int) -> str:
        """Return what stands for so many terms."""

    @abstractmethod
    def words(self, text: str) -> str:
        """Return a name from the user as one line, with all special characters escaped."""

    def over(self, inner: str, divisor: str) -> str:
        """Return a quotient."""
        return f"{inner} / {divisor}"

    def quantity(self, quantity: Quantity) -> str:
        """Return a symbol or a derivative."""
        if isinstance(quantity, Ratio):
            return self.ratio(self.symbol(quantity.top), self.symbol(quantity.bottom))
        return self.symbol(quantity)

    def step(self, step: Step) -> str:
        """Return left = symbols = numbers = value."""
        sides = [
            self.quantity(step.left),
            self._expression(step, lambda known, _: self.quantity(known[0]), self.beside, self.more),
            self._expression(step, self._factor, self.times, lambda _: self.number(step.rest)),
            self.number(step.value),
        ]
        # numbers are empty without factors, and repeat the value if there is one
        return " = ".join(side for i, side in enumerate(sides) if side and (i == 0 or side != sides[i - 1]))

    def product(self, left: Quantity, factors: Sequence[Known], value: float) -> str:
        """Return left = product of symbols = product of numbers = value."""
        return self.step(Step(left, value, tuple(factors)))

    def _factor(self, known: Known, is_first: bool) -> str:
        text = self.number(known[1])
        return text if is_first or not text.startswith(self.minus) else self.group(text)

    def _expression(
        self, step: Step, write: Callable[[Known, bool], str], times: str, more: Callable[[int], str]
    ) -> str:
        parts = [write(known, i == 0) for i, known in enumerate(step.factors)]
        if step.terms:
            inner = ""
            is_single = len(step.terms) == 1 and not step.more
            for i, term in enumerate(step.terms):
                sign = f" {self.minus if term.is_subtracted else '+'} " if i else ""
                is_first = i == 0 and not (parts and is_single)
                product = times.join(write(known, is_first and not k) for k, known in enumerate(term.factors))
                inner += sign + product
            if step.more:
                rest = more(step.more)
                is_negative = rest.startswith(self.minus)
                inner += f" {self.minus} {rest[len(self.minus) :]}" if is_negative else f" + {rest}"
            is_alone = not parts and step.divisor == 1
            parts.append(inner if is_single or is_alone else self.group(inner))
        whole = times.join(parts)
        return whole if step.divisor == 1 else self.over(whole, self.number(step.divisor))


class Text(Notation):
    """Plain text: dJ/dw14 = x1 * delta4."""

    beside, times, minus = " * ", " * ", "-"

    def symbol(self, symbol: Symbol) -> str:
        letter, units = symbol
        if letter == "f'":
            return f"f'({self.symbol(Symbol('z', units))})"
        return f"x{units[0]}" if letter == "x" else numbered(letter, *units)

    def ratio(self, top: str, bottom: str) -> str:
        return f"d{top}/d{bottom}"

    def number(self, x: float) -> str:
        return f"{x:.{DIGITS}g}"

    def group(self, inner: str) -> str:
        return f"({inner})"

    def more(self, n: int) -> str:
        return f"... ({n:,} more)"

    def words(self, text: str) -> str:
        return line(text, LONGEST)


def _joined(units: Sequence[int]) -> str:
    """Return the numbers of units as a subscript: 14, or 14,20."""
    return ("" if all(unit < 10 for unit in units) else ",").join(map(str, units))


def _exponential(x: float) -> tuple[str, str]:
    """Return a number as mantissa and exponent, which is "" for numbers written without."""
    mantissa, _, exponent = f"{x:.{DIGITS}g}".partition("e")
    return mantissa, str(int(exponent)) if exponent else ""


class Latex(Notation):
    """LaTeX, in the part of it that MathJax and Matplotlib's mathtext both read."""

    beside, times, minus = r" \, ", r" \cdot ", "-"
    # what only one of the two reads, and what would begin a tag of HTML, becomes a similar symbol
    special: ClassVar[dict[str, str]] = {
        " ": r"\ ", "_": r"\_", "%": r"\%", "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\backslash ",
        "#": r"\sharp ", "&": r"\wedge ", "^": r"\uparrow ", "~": r"\sim ",
        "<": r"\langle ", ">": r"\rangle ", "'": r"\prime ", "`": r"\prime ", '"': r"\prime\prime ",
    }  # fmt: skip

    def symbol(self, symbol: Symbol) -> str:
        letter, units = symbol
        if letter == "f'":
            return f"f'(z_{{{_joined(units)}}})"
        name = rf"\{letter}" if len(letter) > 1 else letter
        return f"{name}_{{{_joined(units)}}}" if units else name

    def ratio(self, top: str, bottom: str) -> str:
        return rf"\frac{{\partial {top}}}{{\partial {bottom}}}"

    def number(self, x: float) -> str:
        mantissa, exponent = _exponential(x)
        if mantissa.lstrip("-") in ("inf", "nan"):
            return mantissa.replace("inf", r"\infty").replace("nan", r"\mathrm{nan}")
        return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa

    def group(self, inner: str) -> str:
        return rf"\left({inner}\right)"

    def more(self, n: int) -> str:
        return rf"\ldots\ (\mathrm{{{n}\ more}})"

    def words(self, text: str) -> str:
        shown = line(text, LONGEST)
        return rf"\mathrm{{{''.join(self.special.get(c, c) for c in shown)}}}"


class Html(Notation):
    """HTML with subscripts."""

    beside, times, minus = " · ", " · ", "\N{MINUS SIGN}"

    def symbol(self, symbol: Symbol) -> str:
        letter, units = symbol
        if letter == "f'":
            return f"<i>f</i>\N{PRIME}({self.symbol(Symbol('z', units))})"
        name = f"<i>{'δ' if letter == 'delta' else escape(letter)}</i>"
        return f"{name}<sub>{_joined(units)}</sub>" if units else name

    def ratio(self, top: str, bottom: str) -> str:
        return f"∂{top}/∂{bottom}"

    def number(self, x: float) -> str:
        mantissa, exponent = _exponential(x)
        text = f"{mantissa}·10<sup>{exponent}</sup>" if exponent else mantissa
        return text.replace("-", self.minus)

    def group(self, inner: str) -> str:
        return f"({inner})"

    def more(self, n: int) -> str:
        return f"… ({n:,} more)"

    def words(self, text: str) -> str:
        return escape(line(text, LONGEST))


TEXT, LATEX, HTML = Text(), Latex(), Html()
