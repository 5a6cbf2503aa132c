"""Measures how long fastbp and other libraries take to import, and how large they are.

An import is timed in fresh processes, as CPU time, so that other programs do not count; that of NumPy is part
of all others. Sizes leave out compiled Python files, which depend on what has been imported.
"""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fastbp
from fit_worker import MODULES
from race import quartiles
from subjects import PACKAGES, fresh_python, installed_version

PROCESSES = 7
IMPORT = """
from time import process_time
start = process_time()
import {module}
seconds = process_time() - start
import json, sys
print(json.dumps([seconds, sys.modules["{package}"].__version__]))
"""
ROOT = Path(__file__).parent.parent
SOURCES = ("fastbp", "pyproject.toml", "setup.py", "README.md", "LICENSE")
# the library is there already: to compile it takes a minute
BUILD = ("setup.py", "--quiet", "build_py", "bdist_wheel", "--skip-build", "--dist-dir", ".")


@pytest.mark.parametrize("subject", PACKAGES)
def test_import_time(subject, benchmark):
    version = installed_version(subject)
    module = MODULES.get(subject, PACKAGES[subject])
    program = IMPORT.format(module=module, package=module.partition(".")[0])
    found = []
    benchmark.pedantic(lambda: found.append(fresh_python("-c", program)), rounds=PROCESSES, warmup_rounds=1)
    assert {imported for _, imported in found} == {version}
    benchmark.extra_info.update(
        test="import_time",
        subject=subject,
        value=quartiles([1e3 * seconds for seconds, _ in found[1:]]),  # the first may read from the disk
        unit="ms",
        version=version,
        note=f"import {module}, CPU time",
    )


def build_wheel(folder):
    """Build the wheel in a folder, with the compiled library that runs; return its path."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    (library,) = Path(fastbp.__file__).parent.glob("_core/library.*.so")
    target = folder / "lib" / "fastbp" / "_core"
    target.mkdir(parents=True)
    shutil.copy(library, target)
    (folder / "setup.cfg").write_text("[build]\nbuild_lib = lib\n")
    subprocess.run([sys.executable, *BUILD], cwd=folder, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def required(name):
    """Return the names of a distribution and all that it requires here, without NumPy."""
    names, new = set(), {canonicalize_name(name)}
    while new:
        names |= new
        requirements = [Requirement(text) for each in new for text in distribution(each).requires or []]
        wanted = {
            canonicalize_name(requirement.name)
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        }
        new = wanted - names - {"numpy"}
    return sorted(names)


def installed_mb(name):
    """Return the size of the files of an installed distribution in MB."""
    paths = [file.locate() for file in distribution(name).files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


@pytest.mark.parametrize("subject", [name for name in PACKAGES if name != "fastbp"])
def test_size(subject, benchmark):
    version = installed_version(subject)
    try:
        sizes = benchmark.pedantic(lambda: {name: installed_mb(name) for name in required(PACKAGES[subject])})
    except PackageNotFoundError as missing:
        pytest.skip(f"{subject} lacks what it requires: {missing}")
    own = sizes.pop(PACKAGES[subject])
    assert own > 1
    total = own + sum(sizes.values())
    note = f"installed; {own:.3g} MB without what it requires: {', '.join(sizes)}" if sizes else "installed"
    benchmark.extra_info.update(
        test="size",
        subject=subject,
        value=quartiles([total]),
        unit="MB",
        alone_mb=round(own, 2),
        version=version,
        note=note,
    )


def test_size_of_fastbp(benchmark, tmp_path):
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip(f"setuptools {setuptools.__version__} cannot build the wheel: 77 or newer is needed")
    wheel = benchmark.pedantic(build_wheel, (tmp_path,))
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    (library,) = (file for file in files if file.filename.endswith(".so"))
    installed = sum(file.file_size for file in files) / 1e6
    packed = wheel.stat().st_size / 1e6
    assert 0.5 * installed > packed > 0.1 * installed
    benchmark.extra_info.update(
        test="size",
        subject="fastbp",
        value=quartiles([installed]),
        unit="MB",
        alone_mb=round(installed, 2),
        wheel_mb=round(packed, 2),
        version=fastbp.__version__,
        note=f"installed, {library.file_size / 1e6:.2g} MB of it compiled; the wheel has {packed:.2g} MB",
    )
