"""The extension modules: the C core, its kernels compiled once for every instruction set and element type."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from glob import glob
from itertools import chain

import numpy as np
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError

# The C core has state, so all modules are linked into one shared object; fastbp/_core/__init__.py loads them.
NAMES = ("library", "arrays", "entries", "guard", "calls", "run", "settings", "engine", "passes", "plane")
MODULES = [f"fastbp/_core/{name}.pyx" for name in NAMES]
DECLARATIONS = sorted(glob("fastbp/_core/*.pxd"))
# Without `binding`, native functions are plain built-in ones, which saves 0.1 ms of the import. Their
# docstrings begin with the signature. No native object is pickled.
DIRECTIVES = {"language_level": 3, "binding": False, "embedsignature": True, "auto_pickle": False}
KERNELS = ["src_c/kernels/kernels.c", "src_c/kernels/inspection.c"]
CORE = sorted(set(glob("src_c/*/*.c")).difference(KERNELS))
SOURCES = sorted(glob("src_c/*.h") + glob("src_c/*/*.*"))

# No -ffast-math: an object linked with it changes the floating-point state of the whole process. No
# contraction: products and sums are fused only where the source says so, which is the same in every tile.
C_FLAGS = [
    "-std=c11",
    "-pthread",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fvisibility=hidden",
]
if "CFLAGS" not in os.environ:
    # If the user sets CFLAGS, they decide on optimization and debug information. Otherwise debug information,
    # which Python's own flags ask for, is left out: it would be four fifths of the wheel.
    # Functions begin on a cache line: otherwise new code moves others, and a step of a small network takes up
    # to 5 % more or less time. Signed integers do not wrap, as Python's own flags would have it, because that
    # slows loops with many addresses: without it, a step of 4-16-3 takes 10 % less time.
    C_FLAGS += ["-O3", "-g0", "-falign-functions=64", "-fno-wrapv", "-fstrict-overflow"]
# Flags that are refused, from any source. They let the compiler treat NaN as a number, reorder sums or
# shorten constants, or they link crtfastmath.o, which turns off subnormal numbers in the whole process.
FAST_MATH = {
    "-ffast-math",
    "-Ofast",
    "-funsafe-math-optimizations",
    "-ffinite-math-only",
    "-fassociative-math",
    "-freciprocal-math",
    "-fno-signed-zeros",
    "-fsingle-precision-constant",
    "-fno-honor-nans",
    "-fno-honor-infinities",
    "-fapprox-func",
    "-ffp-model=fast",
    "-ffp-model=aggressive",
    "-fp-model=fast",
    "-mdaz-ftz",
}
WARNINGS = ["-Wall", "-Wextra", "-Wconversion"]

# Flags of each instruction set; sets that the compiler does not know are left out. The processor of the build
# machine does not matter: dispatch.c asks the processor at run time.
ISA_FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": [
        "-mavx512f",
        "-mavx512dq",
        "-mavx512vl",
        "-mavx512bw",
        "-mavx2",
        "-mfma",
        "-mprefer-vector-width=512",
    ],
}


def refuse_fast_math(*commands: list[str]) -> None:
    """Raise PlatformError if a command, of the compiler or the linker, has a flag of FAST_MATH."""
    found = FAST_MATH.intersection(word for words in commands for word in words)
    if found:
        raise PlatformError(
            f"the compiler is called with {', '.join(sorted(found))}, expected no such flag in CC, CFLAGS, "
            "CPPFLAGS or LDFLAGS: fastbp has to tell NaN from numbers, and leave subnormal numbers alone"
        )


class BuildCore(build_ext):
    """Compile the C core, its kernels for each instruction set, and hand the objects to the extension."""

    def build_extension(self, ext: Extension) -> None:
        """Compile everything at once, the slowest files first, and link it."""
        refuse_fast_math(self.compiler.compiler_so, self.compiler.linker_so)
        supported = {isa: flags for isa, flags in ISA_FLAGS.items() if self.accepts(flags)}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            kernels = [
                pool.submit(
                    self.objects,
                    f"{isa}_{bits}",
                    KERNELS,
                    [("FASTBP_ISA", isa), ("REAL_BITS", bits)],
                    WARNINGS + flags,
                )
                for isa, flags in supported.items()
                for bits in ("32", "64")
            ]
            built = [(f"FASTBP_HAVE_{isa.upper()}", "1") for isa in supported]
            core = pool.submit(self.objects, "core", CORE, built, WARNINGS)
            modules = pool.map(partial(self.module, ext), self.translated(ext.sources))
            objects = [*modules, *(kernel.result() for kernel in kernels), core.result()]
        ext.extra_objects += chain.from_iterable(objects)
        ext.sources = []
        super().build_extension(ext)

    def translated(self, sources: list[str]) -> list[str]:
        """Translate Cython files to C; return the C files."""
        from Cython.Build import cythonize  # what else reads this file needs no Cython

        modules = cythonize(
            sources,
            build_dir=self.build_temp,
            compiler_directives=DIRECTIVES,
            force=self.force,
            quiet=True,
        )
        return [source for module in modules for source in module.sources]

    def module(self, ext: Extension, source: str) -> list[str]:
        """Compile the C file of a module."""
        folders = [*ext.include_dirs, *self.include_dirs]
        return self.objects("modules", [source], ext.define_macros, [], folders)

    def objects(
        self,
        folder: str,
        sources: list[str],
        macros: list[tuple[str, str]],
        flags: list[str],
        include_dirs: Sequence[str] = ("src_c",),
    ) -> list[str]:
        """Compile C sources into a separate folder."""
        return self.compiler.compile(
            sources,
            output_dir=os.path.join(self.build_temp, folder),
            macros=macros,
            include_dirs=include_dirs,
            extra_postargs=C_FLAGS + flags,
        )

    def accepts(self, flags: list[str]) -> bool:
        """Tell whether the compiler accepts `flags`."""
        if not flags:
            return True
        with tempfile.TemporaryDirectory() as folder:
            probe = os.path.join(folder, "probe.c")
            with open(probe, "w") as file:
                # Clang ignores the flags of another processor, with a warning
                tests = " || ".join(f"!defined(__{name[2:].upper()}__)" for name in flags if "=" not in name)
                file.write(f"#if {tests}\n#error\n#endif\nint probe(void) {{ return 0; }}\n")
            try:
                self.compiler.compile([probe], output_dir=folder, extra_postargs=flags)
            except CompileError:
                return False
        return True


setup(
    cmdclass={"build_ext": BuildCore},
    ext_modules=[
        Extension(
            "fastbp._core.library",
            MODULES,
            depends=SOURCES + DECLARATIONS + MODULES,
            include_dirs=["src_c", np.get_include()],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            extra_link_args=["-pthread"],
        )
    ],
)
