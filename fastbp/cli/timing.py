"""The command `fastbp bench`: its options; `fastbp.cli.comparison` does the work."""

from __future__ import annotations

from argparse import Namespace

from fastbp.cli.options import Commands, picture

DESCRIPTION = """\
Time training steps of five networks by fastbp, by NumPy, and by JAX, PyTorch and scikit-learn where they are
installed: about half a minute in all. Each library has a process of its own with one thread, runs the
fastest code found for it, and takes turns with the others. Their losses must agree before anything is
timed."""

EXAMPLES = """\
examples:
  fastbp bench
  fastbp bench --output speed.png
  FASTBP_ISA=avx2 fastbp bench"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    bench = commands.add_parser(
        "bench",
        help="compare the speed on this machine with that of other libraries",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    bench.add_argument(
        "--output",
        type=picture,
        metavar="PATH",
        help="file for a picture, .png, .svg or .pdf; none by default",
    )
    bench.set_defaults(run=run)


def run(options: Namespace) -> None:
    """Run the comparison."""
    from fastbp.cli import comparison  # which imports what only this command needs

    comparison.run(options.output)
