"""The command line: fastbp demo, fastbp bench, fastbp config."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import fastbp
from fastbp.cli import bench, demo

DESCRIPTION = """\
Train a 64-64-10 relu network with Adam on 1797 handwritten digits, a fifth of them held out; compare
its speed and weights with those of the NumPy engine; draw the loss curves and some of the digits
with their predictions."""

EXAMPLES = """\
examples:
  fastbp demo
  fastbp demo --epochs 100 --seeds 1
  fastbp demo --output digits.svg"""


BENCH = f"""\
Time training steps of five networks with the native engine and with the reference engine in NumPy, in turn,
{bench.ROUNDS} rounds, in about half a minute. Each has one thread. The losses of both are compared first."""

BENCH_EXAMPLES = """\
examples:
  fastbp bench
  FASTBP_ISA=avx2 fastbp bench"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: the command line's) name; return the exit status."""
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
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="fastbp", description="Multi-layer perceptrons on the CPU, fast.")
    parser.add_argument("--version", action="version", version=f"fastbp {fastbp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(run=lambda _: parser.print_help())

    learn = commands.add_parser(
        "demo",
        help="learn to read handwritten digits, in seconds",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    learn.add_argument(
        "--epochs",
        type=positive,
        default=demo.EPOCHS,
        metavar="N",
        help="of each training; default: %(default)s",
    )
    learn.add_argument(
        "--seeds",
        type=positive,
        default=5,
        metavar="N",
        help="trainings, each with its own split and first weights; default: %(default)s",
    )
    learn.add_argument(
        "--output",
        type=picture,
        default="fastbp-demo.png",
        metavar="PATH",
        help="the picture, .png, .svg or .pdf; default: %(default)s",
    )
    learn.set_defaults(run=run_demo)

    timing = commands.add_parser(
        "bench",
        help="compare the speed with that of NumPy, on this machine",
        description=BENCH,
        epilog=BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    timing.set_defaults(run=lambda _: bench.start())

    config = commands.add_parser("config", help="show version, instruction set, compiler and threads")
    config.set_defaults(run=lambda _: fastbp.show_config())
    return parser


def run_demo(options: argparse.Namespace) -> None:
    """Run the demo."""
    demo.run(options.epochs, options.seeds, options.output)


def positive(text: str) -> int:
    """Read a whole number of at least 1; Python reads none of some thousand digits."""
    if not text.isdecimal() or len(text) > 100 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number of at least 1")
    return int(text)


def picture(text: str) -> Path:
    """Read the path of a picture that can be written, before any work is done for it."""
    path = Path(text)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {str(path.parent)!r}")
    return path
