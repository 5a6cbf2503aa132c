"""Times each matrix product of the workloads alone, beside NumPy's, as a share of the arithmetic peak.

It shows which product makes a training slow. `-k "best and float32"` selects the instruction set that fastbp
uses on this processor, in a minute. NumPy's BLAS computes with the same instructions as fastbp.

Speeds are those of the fastest round in CPU time, because disturbances only make a run longer. Ratios
are of the two times in one round, NumPy's over fastbp's: above 1, fastbp is faster.

`make bench-products` also stores the figures in `bench/results/`.
"""

from dataclasses import replace

import pytest

import machine
from fastbp.cli.rivals import NUMPY
from fastbp.cli.rivals.blas import VARIABLE
from products import products_of
from race import quartiles
from workloads import SQUARES, WORKLOADS

# processors for which OpenBLAS has kernels with the instructions of each path
BLAS = {"avx512": "SkylakeX", "avx2": "Haswell", "baseline": "Nehalem"}
LINES = [
    pytest.param(product, isa, dtype, id=f"{product.direction} {product.shape}-{name}-{dtype}")
    for isa in machine.isas()
    for name in [f"{isa}-best" if isa == machine.isas()[0] else isa]
    for dtype in machine.DTYPES
    for product in products_of([*WORKLOADS, *SQUARES])
]


def print_table(isa, dtype, figures):
    print(f"\n\n{isa}, {dtype}, one thread, beside {figures[0]['blas']}; GFLOP/s")
    print(f"{'':8}{'shape':16}{'fastbp':>8}{'of peak':>9}{'NumPy':>8}   times faster (quartiles)")
    for f in figures:
        low, middle, high = f["times_faster"]
        speeds = f"{f['GFLOP/s']:8.4g}{f['share']:9.0%}{f['numpy']:8.4g}"
        print(f"{f['direction']:8}{f['shape']:16}{speeds}   {middle:.3g} ({low:.3g} to {high:.3g})")


@pytest.fixture(scope="module")
def figures(records, request):
    """Collect the figures; print them at the end, and add them to the records."""
    found = []
    yield found
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        for column in dict.fromkeys((f["isa"], f["dtype"]) for f in found):
            print_table(*column, [f for f in found if (f["isa"], f["dtype"]) == column])
    records.extend(found)


@pytest.mark.parametrize(("product", "isa", "dtype"), LINES)
def test_product(product, isa, dtype, process, figures):
    numpy = process(replace(NUMPY, best_blas=False, variables={VARIABLE: BLAS[isa]}))
    (ours, theirs), peak = numpy.ask("product", product, isa, dtype)
    speeds = [product.flops / min(seconds) / 1e9 for seconds in (ours, theirs)]
    figures.append(
        {
            "direction": product.direction,
            "shape": product.shape,
            "isa": isa,
            "dtype": dtype,
            "GFLOP/s": float(f"{speeds[0]:.4g}"),
            "share": round(speeds[0] / peak, 3),
            "numpy": float(f"{speeds[1]:.4g}"),
            "times_faster": quartiles(theirs / ours),
            "blas": numpy.version,
        }
    )
