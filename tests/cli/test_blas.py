"""NumPy beside fastbp has the fastest kernels of OpenBLAS that the processor runs, and never any others."""

import sys

import pytest

from fastbp.cli.rivals import blas


@pytest.fixture
def measured(monkeypatch):
    """Return a function that sets the figures of each choice, and a list of the choices that are measured."""
    asked = []

    def measured(flags, **figures):
        def measure(name=""):
            asked.append(name)
            found = figures.get(name or "installed")
            return found and dict(zip(("kernels", "seconds"), found, strict=True))

        monkeypatch.setattr(blas, "flags", lambda: flags)
        monkeypatch.setattr(blas, "measure", measure)
        blas.best.cache_clear()
        return asked

    yield measured
    blas.best.cache_clear()


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        (set(), []),
        ({"sse2", "avx", "avx2"}, []),
        (blas.AVX2, ["Haswell", "Zen"]),
        (blas.AVX2 | {"avx512f"}, ["Haswell", "Zen"]),
        (blas.SKYLAKE, ["Haswell", "Zen", "SkylakeX"]),
        (blas.COOPERLAKE, ["Haswell", "Zen", "SkylakeX", "Cooperlake"]),
    ],
)
def test_no_kernels_are_tried_whose_instructions_are_missing(measured, flags, allowed):
    slow = {name: (name, 1.0) for name in allowed}
    asked = measured(flags, installed=("Prescott", 1.0), **slow)
    assert blas.best() == {}
    assert asked == ["", *allowed]


def test_faster_kernels_are_used(measured):
    measured(blas.SKYLAKE, installed=("Haswell", 2.0), Zen=("Zen", 1.9), SkylakeX=("SkylakeX", 1.0))
    assert blas.best() == {blas.VARIABLE: "SkylakeX"}


@pytest.mark.parametrize(
    "found",
    [
        ("SkylakeX", 1.95),  # not worth it
        ("Haswell", 1.0),  # not in this OpenBLAS, which then uses others
        None,  # the process ended by a signal
    ],
)
def test_other_kernels_are_not_used(measured, found):
    measured(blas.SKYLAKE, installed=("Haswell", 2.0), SkylakeX=found)
    assert blas.best() == {}


def test_a_blas_without_such_kernels_is_left_alone(measured):
    asked = measured(blas.COOPERLAKE, installed=(None, 1.0))
    assert blas.best() == {}
    assert asked == [""]


def test_a_process_tells_its_kernels_and_time(monkeypatch):
    monkeypatch.setenv(blas.VARIABLE, "Prescott")  # the user's, which does not count
    found = blas.measure()
    assert 0 < found["seconds"] < 60
    if found["kernels"] not in blas.allowed(blas.flags()):
        pytest.skip(f"NumPy's BLAS uses kernels for {found['kernels']}")
    if "Haswell" in blas.allowed(blas.flags()):
        assert blas.measure("Haswell")["kernels"] == "Haswell"


def test_kernels_that_are_not_used_are_not_claimed(monkeypatch):
    monkeypatch.setattr(blas, "kernels", lambda: "Haswell")
    monkeypatch.setenv(blas.VARIABLE, "haswell")
    assert blas.described() == "OpenBLAS for Haswell"
    monkeypatch.setenv(blas.VARIABLE, "SkylakeX")
    with pytest.raises(RuntimeError, match="is SkylakeX, but OpenBLAS uses its kernels for Haswell"):
        blas.described()
    monkeypatch.setattr(blas, "kernels", lambda: None)
    assert blas.described() == "not OpenBLAS"


def test_both_ways_to_ask_for_the_kernels_agree(monkeypatch):
    pytest.importorskip("threadpoolctl")
    found = blas.kernels()
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    without = blas.kernels()
    assert without in (found, None)
