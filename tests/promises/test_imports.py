"""Imports point one way, from the command line down to the exceptions; type-only imports count, too."""

import ast
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastbp
from helpers.paths import ROOT

# Rooms from the bottom up, one layer per line: a module imports from lower layers and from its own, without a
# circle. `fastbp` is the package's __init__.py, which names the rooms that it loads on first use.
LAYERS = """
exceptions _version _moved
_core
_base
activations callbacks history initializers layers losses metrics optimizers schedules splits
_architecture
_data
_engine
_model
_model_file
_training _summary
network
_scipy datasets reference
io
inspect
plot
_explain
_many
sklearn
dask
fastbp
cli
__main__
"""
HEIGHT = {room: height for height, rooms in enumerate(LAYERS.splitlines()) for room in rooms.split()}

# Imports that point up nevertheless: (module, imported module).
HOOKS = {("fastbp.history", "fastbp.plot"), ("fastbp.network._inference", "fastbp.inspect")}


def modules_in(package):
    """Return the files of each module by its full name; those of Cython beside their stubs."""
    files = {}
    for path in sorted(package.rglob("*.p*")):
        if path.suffix in (".py", ".pyi", ".pyx", ".pxd"):
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
            files.setdefault(name, []).append(path)
    return files


def code_of(path):
    """Return the text of a module; of one in Cython only its imports of fastbp, as Python writes them."""
    text = path.read_text()
    if path.suffix in (".pyx", ".pxd"):
        lines = (line.replace(" cimport ", " import ") for line in text.splitlines())
        text = "\n".join(line for line in lines if line.startswith(("from fastbp", "import fastbp")))
    return text


def imports_of(name, path, modules):
    """Return the modules of the package that a module imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(code_of(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            found |= {
                part if (part := f"{source}.{alias.name}") in modules else source for alias in node.names
            }
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {str(text.value) for text in ast.walk(node) if isinstance(text, ast.Constant)}
    return found & modules.keys() - {name}


def imports_in(package):
    modules = modules_in(package)
    return {
        name: set().union(*(imports_of(name, path, modules) for path in files))
        for name, files in modules.items()
    }


def height(module):
    """Return the number of a module's layer, by its first name below fastbp; 0 if it has none."""
    return HEIGHT.get(module.split(".")[1 if "." in module else 0], 0)


def upward(graph):
    """Return the imports (module, imported module) that point to a higher layer."""
    pairs = {(name, other) for name, others in graph.items() for other in others}
    return {(name, other) for name, other in pairs if height(other) > height(name)}


def circle(graph):
    """Return the modules of a circle, the first one again at the end; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def graph():
    return imports_in(Path(fastbp.__file__).parent)


def test_every_package_is_in_the_wheel():
    """Tests of a source tree would not notice a package that pyproject.toml does not name."""
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("pyproject.toml is not beside these tests")
    found = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "fastbp").rglob("__init__.py")}
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(name.replace("/", ".") for name in found) == sorted(named)


def test_every_module_has_a_layer(graph):
    assert {name.split(".")[1] for name in graph if "." in name} - HEIGHT.keys() == set()


def test_no_import_points_up(graph):
    """Except the hooks, all of which are needed."""
    assert sorted(upward(graph) ^ HOOKS) == []


def test_there_is_no_circle(graph):
    without_hooks = {
        name: {other for other in others if (name, other) not in HOOKS} for name, others in graph.items()
    }
    assert circle(without_hooks) == []


SOURCES = {
    "if TYPE_CHECKING:\n    from fastbp.network import Network": "fastbp.network",
    "def load():\n    from fastbp import network": "fastbp.network",
    "from . import network": "fastbp.network",
    "from .network import Network": "fastbp.network",
    "import fastbp.network as net": "fastbp.network",
    "from fastbp import Network": "fastbp",
    "net = importlib.import_module('fastbp.network')": "fastbp.network",
}


@pytest.mark.parametrize(("source", "used"), SOURCES.items())
def test_all_kinds_of_imports_are_found(tmp_path, source, used):
    package = tmp_path / "fastbp"
    package.mkdir()
    for name, text in {"__init__": "", "network": "from fastbp import losses", "losses": source}.items():
        (package / f"{name}.py").write_text(text)
    graph = imports_in(package)
    assert upward(graph) == {("fastbp.losses", used)}
    assert ("fastbp.network" in circle(graph)) == (used != "fastbp")
