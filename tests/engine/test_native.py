"""Promises of the native engine alone: memory, instruction sets, NaN, subnormal numbers, few crossings."""

import runpy
import shutil
import subprocess
import time

import numpy as np
import pytest

import fastbp
from fastbp import _core, activations
from fastbp._base.cpus import available_cpus
from helpers.inside import after_each_slice, engine_of
from helpers.isas import using
from helpers.paths import ROOT

CALLS = {
    "fit": lambda net, X, y: net.fit(X, y, batch_size=8),
    "fit, stored": lambda net, X, y: net.fit(X, y, batch_size=None, gradient_tol=1e-9),
    "predict": lambda net, X, y: net.predict(X),
    "evaluate": lambda net, X, y: net.evaluate(X, y),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "loss_and_gradients": lambda net, X, y: net.loss_and_gradients(X, y),
    "forward": lambda net, X, y: net.forward(X),
}


@pytest.fixture
def examples(rng):
    return rng.random((20, 3)), rng.random((20, 2))


@pytest.fixture
def no_failure_left():
    yield
    _core.fail_allocation(0)


@pytest.mark.parametrize("call", CALLS)
def test_every_allocation_may_fail(call, examples, state_of, no_failure_left):
    """Each allocation of the core fails once: MemoryError, nothing has changed, and the next try works."""
    net = fastbp.Network([3, 4, 2], activation="gelu", seed=0)
    before = state_of(net)
    failures = 0
    while True:
        _core.fail_allocation(failures + 1)
        try:
            CALLS[call](net, *examples)
        except MemoryError:
            failures += 1
            assert state_of(net) == before
        else:
            break
    assert failures >= 2  # a plan and its workspace
    twin = fastbp.Network([3, 4, 2], activation="gelu", seed=0)
    _core.fail_allocation(0)
    CALLS[call](twin, *examples)
    assert state_of(twin)[:3] == state_of(net)[:3]


def test_a_workspace_that_overflows_is_a_memory_error():
    """2**62 rows of a float32 are 2**64 bytes, 0 to who does not look: refused untouched."""
    net = fastbp.Network([1, 1], seed=0)
    X = np.lib.stride_tricks.as_strided(np.zeros((1, 1), np.uint8), (2**62, 1), (0, 1))
    with pytest.raises(MemoryError):
        engine_of(net).forward(X)


@pytest.mark.parametrize("name", _core.available_isas())
def test_the_environment_chooses_the_path(python, name):
    result = python("import fastbp; print(fastbp.Network([1, 1])); fastbp.show_config()", FASTBP_ISA=name)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(name) >= 2


@pytest.mark.parametrize("name", ["avx1024", "numpy", "AVX2"])
def test_an_unknown_path_is_an_error_that_lists_what_is_there(python, name):
    result = python("import fastbp", FASTBP_ISA=name)
    assert result.returncode != 0
    for word in ("FASTBP_ISA", repr(name), *_core.available_isas()):
        assert word in result.stderr


def test_networks_keep_the_path_they_were_made_with(isa):
    net = fastbp.Network([2, 2], seed=0)
    _core.set_isa(_core.available_isas()[0])
    assert isa in repr(net)


def test_an_engine_can_change_its_path(isa, examples):
    """Its results are then those of a network that was made on that path, and others keep theirs."""
    X, y = examples
    made = {"layers": [3, 40, 2], "activation": "tanh", "seed": 0, "optimizer": "adam"}
    with using(isa):
        expected = fastbp.Network(**made)
    expected.fit(X, y, epochs=3, batch_size=7)
    for start in _core.available_isas():
        with using(start):
            net = fastbp.Network(**made)
        net.fit(X, y)
        net.predict(X)  # with plans that may not be used again
        net.reset()
        engine_of(net).use_isa(isa)
        assert engine_of(net).isa == isa
        net.fit(X, y, epochs=3, batch_size=7)
        assert net.parameters.tobytes() == expected.parameters.tobytes()
        assert net.predict(X).tobytes() == expected.predict(X).tobytes()
        assert net.predict(X[0]).tobytes() == expected.predict(X[0]).tobytes()
    with pytest.raises(fastbp.ParameterError, match=r"^isa is 'sse9', expected one of .*baseline$"):
        engine_of(net).use_isa("sse9")
    assert engine_of(net).isa == isa


def test_import_is_light(python):
    """Importing fastbp brings in NumPy and nothing else that is heavy."""
    code = "import sys, numpy; before = set(sys.modules); import fastbp; print(*(set(sys.modules) - before))"
    new = python(code).stdout.split()
    assert "fastbp.network" in new
    heavy = {"matplotlib", "tqdm", "scipy", "torch", "pandas", "asyncio", "numpy.testing", "fastbp.reference"}
    assert not heavy & set(new)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_nan_and_infinity_in_activations(name, dtype, isa):
    """NaN comes out of value and slope (where there is a slope); the limits are limits."""
    activation = activations.ACTIVATIONS[name]
    x = np.array([np.nan], dtype)
    assert np.isnan(activation(x)).all()
    if name not in ("identity", "step"):
        assert np.isnan(activation.derivative(x)).all()
    if name not in ("sine", "softmax"):
        z = np.array([-1e30, 1e30], dtype)
        if name in ("gelu", "gelu_tanh", "silu", "mish", "hard_swish"):
            assert activation(z)[0] == 0
        ends = activation(np.array([-np.inf, np.inf], dtype))
        far = activation(z)
        bounded = np.abs(far) < 1e20
        np.testing.assert_allclose(ends[bounded & ~np.isnan(ends)], far[bounded & ~np.isnan(ends)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_numbers_are_kept(dtype, isa):
    """Weights and data below the smallest normal number are multiplied like others, not flushed."""
    tiny = np.finfo(dtype).smallest_subnormal
    net = fastbp.Network([1, 1], dtype=dtype)
    net.parameters[:] = [1, 0]
    assert net.predict(np.array([[3 * tiny]], dtype))[0, 0] == 3 * tiny
    assert activations.ACTIVATIONS["leaky_relu"](np.array([5 * tiny], dtype))[0] == 5 * tiny


def test_one_crossing_runs_many_epochs(monkeypatch):
    """200 000 one-step epochs: the loop crosses the boundary once per slice, not once per epoch."""
    slices = []
    after_each_slice(monkeypatch, lambda epoch, step: slices.append(1))
    rng = np.random.default_rng(0)
    X, y = rng.random((8, 3)), rng.random((8, 1))
    net = fastbp.Network([3, 2, 1], activation="sigmoid", optimizer=fastbp.SGD(1e-6), seed=0)
    start = time.perf_counter()
    history = net.fit(X, y, epochs=200_000, batch_size=None)
    elapsed = time.perf_counter() - start
    assert len(history) == 200_000
    assert len(slices) < 10 + elapsed / 0.005


@pytest.mark.skipif(available_cpus() < 2, reason="needs two CPUs")
def test_a_fork_beside_a_fit(python):
    """The child does not count the thread that trains in the parent, also where that has no workers yet."""
    code = """
    import os, threading, time, numpy as np, fastbp
    fastbp.set_num_threads(2)
    X = np.ones((20_000, 4), "f4")
    small = fastbp.Network([4, 64, 1], seed=0)  # too small for workers
    fit = lambda: small.fit(X, X[:, :1], epochs=10**6)
    threading.Thread(target=fit, daemon=True).start()
    time.sleep(0.2)
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            large = fastbp.Network([1024, 1024, 10], seed=0)
            large.fit(np.ones((512, 1024), "f4"), np.ones((512, 10), "f4"), batch_size=512)
            os._exit(len(os.listdir("/proc/self/task")))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os._exit(0)
    """
    result = python(code)
    assert result.stdout.split() == ["2"] * 5, result.stderr


# ---- bits --------------------------------------------------------------------------------------------------

BITS = """
import hashlib, numpy as np, fastbp
X = np.random.default_rng(0).normal(size=(400, 10)); y = np.sin(X[:, :1])
for name in ("he_normal", "orthogonal"):
    for optimizer in (fastbp.Adam(), fastbp.LevenbergMarquardt(), fastbp.LevenbergMarquardt(bayesian=True)):
        layers = [10, fastbp.Dense(60, "tanh", initializer=name), 1]
        net = fastbp.Network(layers, seed=1, dtype="float64", optimizer=optimizer)
        net.adapt(X)
        net.fit(X, y, epochs=3, batch_size=None)
        print(hashlib.sha1(net.parameters.tobytes()).hexdigest())
"""


def test_bits_that_no_library_of_numpys_changes(python):
    """Initial weights and training, whatever kernels and threads BLAS has, and vector code NumPy."""
    dispatched = " ".join(np._core._multiarray_umath.__cpu_dispatch__)
    environments = [
        {},
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_CORETYPE": "Prescott"},
        {"NPY_DISABLE_CPU_FEATURES": dispatched, "PYTHONWARNINGS": "ignore"},
    ]
    results = [python(BITS, FASTBP_ISA="baseline", **environment) for environment in environments]
    assert all(result.returncode == 0 for result in results), [result.stderr for result in results]
    assert len({result.stdout for result in results}) == 1


# ---- what changes after it was checked ---------------------------------------------------------------------


@pytest.mark.parametrize("label", [3, 10**6, 2**40, -1, -(2**62)])
@pytest.mark.parametrize("options", [{}, {"sample_weight": np.arange(20) % 3 + 1}], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_labels_that_a_callback_spoils(label, options, batch_size, isa):
    """The loss of an index that is none is NaN, and nothing else is touched."""
    X, y = np.random.default_rng(0).random((20, 2)), np.arange(20) % 3
    net = fastbp.Network([2, 5, 3], loss="cross_entropy", seed=0)

    def spoil(state):
        y[7] = label

    with pytest.raises(fastbp.DivergenceError, match="loss became NaN or infinite in epoch 2"):
        net.fit(X, y, epochs=3, batch_size=batch_size, shuffle=False, callbacks=[spoil], **options)
    assert np.isfinite(net.parameters).all()


# ---- numbers whose squares overflow ------------------------------------------------------------------------

SIZES = [1.0, 1e150, 1e160, 1e200, 1e308]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"clip_value": 1e307}], ids=str)
def test_clip_norm_of_gradients_of_any_size(network_class, options, size, isa):
    """A step of length 0.1 along the gradient, whose elements are of this size, half of it, and 1."""
    optimizer = fastbp.SGD(0.1, clip_norm=1.0, **options)
    net = network_class([2, 1], loss="mae", dtype="float64", optimizer=optimizer, seed=0)
    before = net.parameters.copy()
    net.train_on_batch(np.array([[size, size / 2]]), np.zeros(1))
    g = np.minimum([size, size / 2, 1], options.get("clip_value", np.inf))
    g /= g.max()
    step = np.abs(net.parameters - before)
    np.testing.assert_allclose(step, 0.1 * g / np.linalg.norm(g), rtol=2e-6, atol=1e-15)


@pytest.mark.parametrize("size", [*SIZES, 1e-160, 1e-200])
def test_max_norm_of_weights_of_any_size(network_class, size, isa):
    """Columns beyond the limit are scaled to it, the others stay."""
    layer = fastbp.Dense(3, max_norm=1e100 if size > 1 else size / 2)
    net = network_class([2, layer], dtype="float64", optimizer=fastbp.SGD(1e-9), seed=0)
    small = np.array([0.1, 0.2]) * min(size, 1)
    net.weights[0][:] = np.column_stack([[size, -size / 2], small, [0, 0]])
    net.backward(0 * net.forward([[0.0, 0.0]]))
    net.step()
    column = np.array([1, -0.5]) / np.hypot(1, 0.5) * layer.max_norm
    expected = np.column_stack([column, small, [0, 0]])
    np.testing.assert_allclose(net.weights[0], expected, rtol=1e-14)


# ---- the build ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def setup_py():
    """Names that setup.py defines, without a build."""
    setuptools = pytest.importorskip("setuptools")
    if not (ROOT / "setup.py").exists():
        pytest.skip("setup.py is not beside these tests")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **options: None)
        patch.chdir(ROOT)
        return runpy.run_path("setup.py")


@pytest.mark.parametrize(
    "flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only", "-mdaz-ftz"]
)
def test_flags_that_break_ieee_arithmetic_are_refused(setup_py, flag):
    """Flags of the compiler or of the linker are refused; the package's own flags are not."""
    refuse = setup_py["refuse_fast_math"]
    refuse(["gcc", "-O3", "-fno-fast-math", *setup_py["C_FLAGS"]], ["gcc", "-shared"])
    for commands in ((["gcc", "-O1", flag], ["gcc"]), (["gcc"], ["gcc", "-shared", flag])):
        with pytest.raises(
            Exception, match=rf"compiler is called with {flag}, expected no such flag in CC, CFLAGS"
        ):
            refuse(*commands)


@pytest.mark.parametrize(
    ("flags", "accepted"),
    [
        (["-O3", "-fno-math-errno", "-fno-trapping-math"], True),
        (["-ffast-math"], False),
        (["-Ofast"], False),
        (["-ffinite-math-only"], False),
        (["-funsafe-math-optimizations"], False),
        (["-fno-signed-zeros"], False),
    ],
)
def test_the_code_itself_refuses_them(flags, accepted):
    """The flags come from a place that setup.py does not see."""
    header = ROOT / "src_c/fastbp.h"
    if not shutil.which("gcc") or not header.exists():
        pytest.skip("needs gcc and the C sources")
    command = ["gcc", "-fsyntax-only", "-Werror", *flags, f"-I{ROOT / 'src_c'}", "-x", "c", header]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode == 0) == accepted, result.stderr
    assert ("fastbp needs IEEE arithmetic" in result.stderr) != accepted
