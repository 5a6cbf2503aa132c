"""The sizes of the caches: what the system reports, FASTBP_CACHE, and that results do not depend on them."""

import os

import pytest

from fastbp import _core

K, M = 1 << 10, 1 << 20
GUESS = (32 * K, 256 * K, 1 * M)
CPUS = _core.scheduled_cpus()  # the users of an L3 if nothing says who they are


def description(*caches):
    """Return the files of some caches by name; a cache is (level, type, size, shared_cpu_list)."""
    names = ("level", "type", "size", "shared_cpu_list")
    return {
        f"index{i}/{name}": f"{text}\n"
        for i, cache in enumerate(caches)
        for name, text in zip(names, cache, strict=True)
    }


def one_core(l1, l2, l3, sharers="0"):
    """Return the files of a core with three caches of its own, of which others may share the last."""
    return description((1, "Data", l1, "0"), (2, "Unified", l2, "0"), (3, "Unified", l3, sharers))


PLAIN = one_core("32K", "512K", "4M")

MACHINES = {
    "Zen 3, 8 cores of 2 threads": (
        description(
            (1, "Data", "32K", "0,64"),
            (1, "Instruction", "64K", "0,64"),
            (2, "Unified", "512K", "0,64"),
            (3, "Unified", "32768K", "0-7,64-71"),
        ),
        (32 * K, 512 * K, 4 * M),
    ),
    "Zen 3, a virtual machine of 4 threads": (
        one_core("32K", "512K", "16384K", "0-3"),
        (32 * K, 512 * K, 4 * M),
    ),
    "Intel, less L3 than L2 per core": (
        description(
            (1, "Data", "48K", "0,56"),
            (1, "Instruction", "32K", "0,56"),
            (2, "Unified", "2048K", "0,56"),
            (3, "Unified", "107520K", "0-55,56-111"),
        ),
        (48 * K, 2 * M, 2 * M),
    ),
    "Intel, slow cores, 4 of which share L2": (
        description(
            (1, "Data", "32K", "0"),
            (2, "Unified", "4M", "0-3"),
            (3, "Unified", "36M", "0-11"),
        ),
        (32 * K, 1 * M, 3 * M),
    ),
    "ARM, 4 cores share L2, no L3": (
        description((1, "Data", "32K", "0"), (1, "Instruction", "48K", "0"), (2, "Unified", "1024K", "0-3")),
        (32 * K, 256 * K, 256 * K),
    ),
    "L4": (
        description(
            (1, "Data", "32K", "0"),
            (2, "Unified", "512K", "0"),
            (3, "Unified", "4M", "0"),
            (4, "Unified", "64K", "0"),
        ),
        (32 * K, 512 * K, 4 * M),
    ),
    "bytes without unit": (one_core(65536, 1 * M, 8 * M), (64 * K, 1 * M, 8 * M)),
    "gigabytes": (one_core("32K", "512K", "1G", "0-63"), (32 * K, 512 * K, 16 * M)),
    "nothing": ({}, GUESS),
    "no L1": (description((2, "Unified", "512K", "0")), (32 * K, 512 * K, 512 * K)),
    "no L2": (description((1, "Data", "64K", "0")), (64 * K, 256 * K, 1 * M)),
    "no size": (
        {name: text for name, text in PLAIN.items() if name != "index1/size"},
        (32 * K, 256 * K, 4 * M),
    ),
    "no type": (
        {name: text for name, text in PLAIN.items() if name != "index0/type"},
        (32 * K, 512 * K, 4 * M),
    ),
    "nobody shares L1 or L2": (
        {
            name: text
            for name, text in PLAIN.items()
            if not name.endswith(("0/shared_cpu_list", "1/shared_cpu_list"))
        },
        (32 * K, 512 * K, 4 * M),
    ),
    "the sharers of L3 are unknown": (
        one_core("32K", "64K", "24M", ""),
        (32 * K, 64 * K, min(max(24 * M // CPUS, 64 * K), 32 * M)),
    ),
    "tiny": (one_core("1K", "2K", "3K"), (8 * K, 64 * K, 64 * K)),
    "huge": (one_core("128M", "1G", "2G"), (1 * M, 32 * M, 32 * M)),
    "L1 larger than L2": (one_core("256K", "64K", "1M"), (256 * K, 256 * K, 1 * M)),
    "zeros": (one_core("0K", "0", "0M"), GUESS),
}

SIZES = [
    "",
    "-1",
    "-48K",
    "K",
    "48KB",
    "48 K",
    "4.8M",
    "9" * 30,
    "9" * 12 + "K",
    "0x30",
    "many",
    "\0",
    "\xff",
]
LISTS = ["-", "a", ",", "0,", "0-", "-3", "3-0", "0--3", "0-3,x", "0;1", "0-18446744073709551615"]


@pytest.fixture
def machine(tmp_path):
    """Write the files of a CPU, and return the sizes that the core takes from them."""

    def machine(files, cpu=0):
        for name, text in files.items():
            path = tmp_path / f"cpu{cpu}" / "cache" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return _core.caches_in(tmp_path, cpu)

    return machine


@pytest.mark.parametrize(("files", "sizes"), MACHINES.values(), ids=MACHINES)
def test_what_linux_reports(machine, files, sizes):
    assert machine(files) == sizes


def test_each_cpu_has_its_own(machine):
    machine(PLAIN)
    assert machine(one_core("48K", "2M", "8M"), 13) == (48 * K, 2 * M, 8 * M)
    assert machine({}, 0) == (32 * K, 512 * K, 4 * M)


@pytest.mark.parametrize("size", SIZES)
def test_a_size_that_is_none(machine, size):
    assert machine(one_core(size, size, size)) == GUESS


@pytest.mark.parametrize("sharers", LISTS)
def test_a_list_of_cpus_that_is_none(machine, sharers):
    everyones = min(max(24 * M // CPUS, 64 * K), 32 * M)
    assert machine(one_core("32K", "64K", "24M", sharers)) == (32 * K, 64 * K, everyones)


@pytest.mark.parametrize("name", PLAIN)
def test_any_file_may_be_garbage(machine, name):
    """Sizes stay sane and in order."""
    for text in ("", "\n", "3", "99999", "Data", "\xff" * 10_000, "0," * 5000):
        l1, l2, l3 = machine(PLAIN | {name: text})
        assert 8 * K <= l1 <= l2 <= l3 <= 32 * M


def test_a_folder_in_place_of_a_file(machine, tmp_path):
    (tmp_path / "cpu0/cache/index1/size").mkdir(parents=True)
    del (files := dict(PLAIN))["index1/size"]
    assert machine(files) == (32 * K, 256 * K, 4 * M)


def test_no_file_stays_open(machine):
    machine(PLAIN)
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for _ in range(3):
        machine({})
        assert before == (os.listdir("/proc/self/fd") if before else [])


def test_a_path_that_is_too_long():
    assert _core.caches_in("/" + "sys/" * 1000, 0) == GUESS


@pytest.mark.skipif(
    not os.path.exists("/sys/devices/system/cpu/cpu0/cache/index0/size"), reason="no such files"
)
def test_the_first_cpu_of_the_process_counts(python):
    code = """
        import os
        last = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {last})
        from fastbp import _core
        assert _core.caches() == _core.caches_in("/sys/devices/system/cpu", last)
    """
    result = python(code, FASTBP_CACHE=None)
    assert result.returncode == 0, result.stderr


# ---- FASTBP_CACHE ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sizes"),
    {
        "48K,1M,16M": (48 * K, M, 16 * M),
        " 4096 , 65536,1g": (4 * K, 64 * K, 1 << 30),
        "1m,1M,1024k": (M, M, M),
    }.items(),
)
def test_the_environment_chooses(python, text, sizes):
    result = python("import fastbp; print(fastbp._core.caches())", FASTBP_CACHE=text)
    assert result.stdout == f"{sizes}\n", result.stderr


def test_an_empty_variable_is_none(python):
    result = python("import fastbp; print(fastbp._core.caches())", FASTBP_CACHE="")
    assert (
        result.stdout == python("import fastbp; print(fastbp._core.caches())", FASTBP_CACHE=None).stdout != ""
    )


@pytest.mark.parametrize(
    "text",
    [
        "48K",
        "48K,1M",
        "48K,1M,16M,1G",
        "48K,1M,",
        "48K;1M;16M",
        "1M,48K,16M",
        "48K,16M,1M",
        "4095,1M,16M",
        "48K,1M,1025M",
        "-48K,1M,16M",
        "4.8K,1M,16M",
        "48KB,1M,16M",
        "K,M,G",
        "large",
        "9" * 5000 + ",1M,16M",
    ],
    ids=lambda text: text[:12],
)
def test_a_wrong_variable_is_an_error(python, text):
    result = python("import fastbp", FASTBP_CACHE=text)
    assert result.returncode != 0
    expected = "expected the sizes of L1, L2 and L3 for one core, such as 48K,1M,16M"
    assert f"ParameterError: FASTBP_CACHE is {text!r:.60}, {expected}" in result.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    {
        "48K,1M,16M": "L1 48 KB, L2 1 MB, L3 16 MB per core",
        "5000,1000K,1408K": "L1 4.88 KB, L2 1000 KB, L3 1.38 MB per core",
    }.items(),
)
def test_show_config_shows_them(python, text, shown):
    result = python("import fastbp; fastbp.show_config()", FASTBP_CACHE=text)
    assert f"\ncaches    {shown}\n" in result.stdout, result.stderr


BITS = """
    import hashlib
    import numpy as np
    import fastbp

    # B is copied because it is large, or because its rows are a power of two apart; or it is read in place
    shapes = [([701, 519, 130, 3], 130), ([1024, 1024, 7], 45), ([60, 2048, 33], 200), ([40, 20], 9)]
    for dtype in ("float32", "float64"):
        for layers, batch_size in shapes:
            X = np.random.default_rng(0).random((2 * batch_size + 1, layers[0]))
            net = fastbp.Network(layers, dtype=dtype, seed=0)
            net.fit(X, X[:, : layers[-1]], batch_size=batch_size)
            gradients = net.loss_and_gradients(X, X[:, : layers[-1]])[1]
            outputs = net.predict(X), net.parameters, gradients
            print(*(hashlib.sha1(array.tobytes()).hexdigest() for array in outputs))
"""
SIZES = [
    *("4K,4K,4K", "8K,64K,64K", "16K,128K,1M", "20000,300000,500000", "32K,512K,4M", "48K,1M,16M"),
    *("48K,2M,2M", "64K,4M,8M", "1G,1G,1G"),
    *("4K,4M,4M", "8K,32M,32M"),  # a panel that fits into L1 is shallow, a block of rows could be huge
]


BEST, *OTHERS = _core.available_isas()


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (BEST, SIZES[::2]),
        pytest.param(BEST, SIZES[1::2], marks=pytest.mark.slow),
        *(pytest.param(isa, SIZES, marks=pytest.mark.slow) for isa in OTHERS),
    ],
)
def test_results_do_not_depend_on_them(python, name, sizes):
    """Products far larger and far smaller than the caches have the same bits, on any number of threads."""
    results = [
        python(BITS, FASTBP_CACHE=text, FASTBP_NUM_THREADS=str(1 + i % 8), FASTBP_ISA=name)
        for i, text in enumerate([None, *sizes])
    ]
    assert all(result.returncode == 0 for result in results), [result.stderr for result in results]
    assert len({result.stdout for result in results}) == 1
