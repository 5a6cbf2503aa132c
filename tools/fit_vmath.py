"""Fit the coefficients of src_c/kernels/vmath.h and print its tables, or check that the header holds them.

Every polynomial has the least possible maximum of the relative error in the function that uses it. The
exchange algorithm of Remez finds it (E. W. Cheney, Introduction to Approximation Theory, 1966, chapter 3), in
60 decimal digits on a fine grid. The error printed beside a table is that of the rounded coefficients, in
units of the epsilon of the floating-point format.

    python tools/fit_vmath.py             print the tables (about a minute)
    python tools/fit_vmath.py --check     exit status 1 if the header's differ
"""

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mpmath import mp, mpf

HEADER = Path(__file__).resolve().parents[1] / "src_c" / "kernels" / "vmath.h"
BEGIN, END = "/* tables: printed by tools/fit_vmath.py */\n", "/* end of tables */\n"

mp.dps = 60

Function = Callable[[mpf], mpf]


class Width(NamedTuple):
    """A floating-point format."""

    bits: int
    precision: int
    max_exponent: int  # exponent of the largest finite number, which is just below 2^(max_exponent + 1)
    suffix: str

    def literal(self, x: mpf) -> str:
        """Return x rounded to nearest: in hexadecimal, or in decimal if it is a small integer."""
        x = rounded(x, self.precision)
        if x == int(x) and abs(x) < 10_000:
            return f"{int(x)}.0{self.suffix}"
        mantissa, exponent = float(x).hex().split("p")
        return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}{self.suffix}"


WIDTHS = (Width(32, 24, 127, "f"), Width(64, 53, 1023, ""))


class Table(NamedTuple):
    """A polynomial p(u(x)) for f(x) on [a, b]; weight(x) |f(x) - p| is the relative error that it causes."""

    name: str
    f: Function
    weight: Function
    interval: Callable[[Width], tuple[mpf, mpf]]
    degrees: dict[int, int]  # degree of the polynomial, by the bits of the width
    u: Function = mpf


def normal_tail(t: mpf) -> mpf:
    """Return (1 + t) exp(t^2 / 2) P(-t), where P is the cumulative normal distribution."""
    return (1 + t) * mp.exp(t**2 / 2) * mp.erfc(t / mp.sqrt(2)) / 2


def tail_max(width: Width) -> mpf:
    """Return an integer; for t at and above it, t P(-t) rounds to 0."""
    return mp.ceil(mp.sqrt(2 * mp.ln2 * (width.max_exponent + width.precision - 1)))


TABLES = (
    Table(
        "EXPM1_TAIL",  # expm1(r) = r + r^2 p(r)
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: abs(r**2 / mp.expm1(r)),
        lambda _: (-mp.ln2 * mpf("0.505"), mp.ln2 * mpf("0.505")),
        {32: 4, 64: 9},
    ),
    Table(
        "TANH_TAIL",  # c = r coth(r) = 1 + r^2 p(r^2), and tanh(r) = r / c
        lambda r: (r * mp.coth(r) - 1) / r**2,
        lambda r: r * mp.tanh(r),
        lambda _: (mpf(0), mp.ln2 * mpf("0.376")),
        {32: 1, 64: 4},
        lambda r: r**2,
    ),
    Table(
        "SIGMOID_TAIL",  # c = r coth(r / 2) = 2 + r^2 p(r^2), and exp(r) = (c + r) / (c - r)
        lambda r: (r * mp.coth(r / 2) - 2) / r**2,
        lambda r: 2 * r**3 / ((r * mp.coth(r / 2)) ** 2 - r**2),
        lambda _: (mpf(0), mp.ln2 * mpf("0.505")),
        {32: 1, 64: 4},
        lambda r: r**2,
    ),
    Table(
        "LOG1P_TAIL",  # log1p(f) = f + f^2 p(f)
        lambda f: (mp.log1p(f) - f) / f**2,
        lambda f: f**2 / mp.log1p(f),
        lambda _: (mpf(0), mpf(1)),
        {32: 8, 64: 19},
    ),
    Table(
        "NORMAL_TAIL",  # P(-t) = exp(-t^2 / 2) p(u) / (1 + t), u = (t - 5) / (t + 5)
        normal_tail,
        lambda t: 1 / normal_tail(t),
        lambda width: (mpf(0), tail_max(width)),
        {32: 10, 64: 21},
        lambda t: (t - 5) / (t + 5),
    ),
    Table(
        "SINE_TAIL",  # sin(r) = r + r^3 p(r^2)
        lambda r: (mp.sin(r) - r) / r**3,
        lambda r: r**3 / mp.sin(r),
        lambda _: (mpf(0), mp.pi * mpf("0.505")),
        {32: 3, 64: 7},
        lambda r: r**2,
    ),
)


def rounded(x: mpf, precision: int) -> mpf:
    """Round to `precision` significant bits, ties to even."""
    with mp.workprec(precision):
        return +x


def remez(f: list[mpf], weights: list[mpf], u: list[mpf], degree: int) -> list[mpf]:
    """Minimize max weight |f - p(u)| over a grid; return the coefficients of p, constant first."""
    n = degree + 2
    extrema = [round((k + 0.5) * len(f) / n) for k in range(n)]
    while True:
        rows = [
            [u[i] ** k for k in range(n - 1)] + [(-1) ** row / weights[i]] for row, i in enumerate(extrema)
        ]
        *coefficients, level = mp.lu_solve(mp.matrix(rows), mp.matrix([f[i] for i in extrema]))
        errors = [w * (y - mp.polyval(coefficients[::-1], v)) for w, y, v in zip(weights, f, u, strict=True)]
        if max(map(abs, errors)) < abs(level) * mpf("1.02"):
            return coefficients
        extrema = alternating_extrema(errors, n)


def alternating_extrema(errors: list[mpf], n: int) -> list[int]:
    """Return the indices of n extrema of alternating sign, the largest among them."""
    extrema: list[int] = []
    for i, error in enumerate(errors):
        if not extrema or error * errors[extrema[-1]] < 0:
            extrema.append(i)
        elif abs(error) > abs(errors[extrema[-1]]):
            extrema[-1] = i
    while len(extrema) > n:
        del extrema[0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1]
    if len(extrema) < n:
        raise ArithmeticError(f"the error has {len(extrema)} alternating extrema, expected {n}")
    return extrema


def polynomial(table: Table, width: Width) -> str:
    """Return the C array of a table.

    The leading coefficients are rounded one at a time, each before the next ones are fitted, which compensate
    for the rounding. If u changes its sign, all are fitted at once, because the error that remains after the
    first need not alternate there.
    """
    a, b = table.interval(width)
    degree = table.degrees[width.bits]
    n = 60 * (degree + 2)
    grid = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (i + mpf(1) / 3) / n) for i in range(n)]
    f, weights, u = ([function(x) for x in grid] for function in (table.f, table.weight, table.u))
    coefficients: list[mpf] = []
    for k in range(min(degree, 4) if u[0] * u[-1] > 0 else 0):
        coefficients.append(rounded(remez(f, weights, u, degree - k)[0], width.precision))
        f = [(y - coefficients[k]) / v for y, v in zip(f, u, strict=True)]
        weights = [w * abs(v) for w, v in zip(weights, u, strict=True)]
    others = [rounded(c, width.precision) for c in remez(f, weights, u, degree - len(coefficients))]
    errors = [w * abs(y - mp.polyval(others[::-1], v)) for w, y, v in zip(weights, f, u, strict=True)]
    epsilons = mp.nstr(max(errors) * 2 ** (width.precision - 1), 2)
    values = textwrap.fill(", ".join(map(width.literal, coefficients + others)), 106)
    return (
        f"static const real {table.name}[] = {{ /* relative error {epsilons} epsilon */\n"
        + textwrap.indent(values, "    ")
        + "};"
    )


def constants(width: Width) -> Iterator[tuple[str, mpf]]:
    """Yield the constants. All parts of a split number but the last are short: small multiples are exact."""
    yield "EXP_MAX", mp.ceil(mp.ln2 * (width.max_exponent + 1))  # exp overflows
    yield "EXP_MIN", mp.floor(mp.ln2 * (1 - width.max_exponent - width.precision))  # exp rounds to 0
    yield "LOG2_E", 1 / mp.ln2
    ln2_high = rounded(mp.ln2, width.precision - (width.max_exponent + width.precision).bit_length())
    yield "LN2_HIGH", ln2_high
    yield "LN2_LOW", mp.ln2 - ln2_high
    yield "TANH_MAX", mp.ceil(mp.atanh(1 - mpf(2) ** -(width.precision + 1)))  # tanh rounds to 1
    yield "TAIL_MAX", tail_max(width)
    yield "ONE_OVER_PI", 1 / mp.pi
    part, rest = {32: 12, 64: 33}[width.bits], +mp.pi
    yield "SINE_MAX", mpf(2) ** (width.precision - part)
    for i in range(1, 4):
        yield f"PI_{i}", rounded(rest, part)
        rest -= rounded(rest, part)
    yield "PI_4", rest


def tables() -> str:
    """Return the text between the two markers in the header."""
    lines = []
    for width in WIDTHS:
        lines += ["#if REAL_BITS == 32" if width.bits == 32 else "#else"]
        lines += [f"#define {name} {width.literal(value)}" for name, value in constants(width)]
        lines += [polynomial(table, width) for table in TABLES]
    return "\n".join([*lines, "#endif\n"])


def main() -> int:
    """Print the tables, or compare them."""
    parser = argparse.ArgumentParser(description="Fit the coefficients of src_c/kernels/vmath.h.")
    parser.add_argument("--check", action="store_true", help="compare with the header instead of printing")
    if not parser.parse_args().check:
        print(tables(), end="")
        return 0
    header = HEADER.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    same = header == tables()
    print(f"{HEADER.name} {'holds' if same else 'does not hold'} the fitted coefficients")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
