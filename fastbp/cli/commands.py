"""The commands of `fastbp`, and the parser of their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import fastbp
from fastbp.cli import comparison, demo

DESCRIPTION = """\
Train a 64-64-10 relu network with Adam on 1797 handwritten digits, a fifth of them held out. Compare
its speed and weights with those of the NumPy engine. Draw the loss curves, and some of the digits
with their predictions."""

EXAMPLES = """\
examples:
  fastbp demo
  fastbp demo --epochs 100 --seeds 1
  fastbp demo --output digits.svg"""


BENCH = f"""\
Time training steps of five networks by fastbp, by NumPy, and by JAX, PyTorch and scikit-learn where they are
installed: about half a minute in all. Each library has a process of its own with one thread, runs the
fastest code found for it, and takes turns with the others for {comparison.ROUNDS} rounds. Their losses
must agree before anything is timed."""

BENCH_EXAMPLES = """\
examples:
  fastbp bench
  fastbp bench --output speed.png
  FASTBP_ISA=avx2 fastbp bench"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given by `arguments` (default: sys.argv) and return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except (fastbp.Error, OSError) as error:
        print(f"fastbp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="fastbp", description="Multi-layer perceptrons on the CPU, fast.")
    parser.add_argument("--version", action="version", version=f"fastbp {fastbp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(run=lambda _: parser.print_help())

    learn = commands.add_parser(
        "demo",
        help="train a network on handwritten digits, in seconds",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    learn.add_argument(
        "--epochs",
        type=positive,
        default=demo.EPOCHS,
        metavar="N",
        help="epochs per training; default: %(default)s",
    )
    learn.add_argument(
        "--seeds",
        type=positive,
        default=5,
        metavar="N",
        help="number of trainings, each with its own split and initial weights; default: %(default)s",
    )
    learn.add_argument(
        "--output",
        type=picture,
        default="fastbp-demo.png",
        metavar="PATH",
        help="file for the picture, .png, .svg or .pdf; default: %(default)s",
    )
    learn.set_defaults(run=run_demo)

    timing = commands.add_parser(
        "bench",
        help="compare the speed on this machine with that of other libraries",
        description=BENCH,
        epilog=BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    timing.add_argument(
        "--output",
        type=picture,
        metavar="PATH",
        help="file for a picture, .png, .svg or .pdf; none by default",
    )
    timing.set_defaults(run=lambda options: comparison.run(options.output))

    config = commands.add_parser("config", help="show version, instruction set, compiler, threads and caches")
    config.set_defaults(run=lambda _: fastbp.show_config())
    return parser


def run_demo(options: argparse.Namespace) -> None:
    """Run the demo."""
    demo.run(options.epochs, options.seeds, options.output)


def positive(text: str) -> int:
    """Convert text to an integer of at least 1."""
    # Python refuses to convert numbers with thousands of digits.
    if not text.isdecimal() or len(text) > 100 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number of at least 1")
    return int(text)


def picture(text: str) -> Path:
    """Convert text to the path of a picture, and check it before the work begins."""
    path = Path(text)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {str(path.parent)!r}")
    return path
