"""Times examples/fashion_mnist.py and the same training by a rival, in alternating rounds."""

import json
import os
import sys
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean, median
from subprocess import PIPE, Popen

import pytest

import fashion_mnist
from fastbp.cli.bench import THREADS
from fastbp.cli.rivals import blas

SEEDS = 3
TOLERANCE = 0.005  # by which the mean accuracy may be below the rival's

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != blas.VARIABLE} | {
    **dict.fromkeys(THREADS, "1"),
    "PYTHONPATH": os.pathsep.join(sys.path),
}


class Contestant:
    """A process that trains on request; see `fashion_rivals.py`."""

    def __init__(self, name, cleanup):
        command = [sys.executable, Path(__file__).with_name("fashion_rivals.py"), name]
        process = Popen(command, env=ENVIRONMENT | blas.best(), stdin=PIPE, stdout=PIPE, text=True)
        self.process = cleanup.enter_context(process)  # on exit the pipes close, and the process ends
        assert process.stdout.readline() == "ready\n"
        self.seconds, self.accuracies = [], []

    def train(self):
        """Train with the next seed."""
        print(len(self.seconds), file=self.process.stdin, flush=True)
        result = json.loads(self.process.stdout.readline())
        self.seconds.append(result["seconds"])
        self.accuracies.append(result["accuracy"])


@pytest.mark.parametrize("rival", ["torch", "scikit-learn"], ids="fashion_mnist-{}".format)
def test_fashion_mnist(rival, benchmark):
    try:
        fashion_mnist.find(*fashion_mnist.FOLDERS)
        rival_version = version(rival)
    except (FileNotFoundError, PackageNotFoundError) as missing:
        pytest.skip(str(missing))

    with ExitStack() as cleanup:
        theirs, ours = Contestant(rival, cleanup), Contestant("fastbp", cleanup)
        # the rival runs as the setup of each round, which is not timed: rival, fastbp, rival, fastbp, ...
        benchmark.pedantic(ours.train, setup=theirs.train, rounds=SEEDS)
    ratios = [b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True)]
    benchmark.extra_info.update(
        rival=f"{rival} {rival_version}",
        seconds={"fastbp": ours.seconds, rival: theirs.seconds},
        accuracies={"fastbp": ours.accuracies, rival: theirs.accuracies},
        times_faster=ratios,
        median_times_faster=median(ratios),
    )
    assert mean(ours.accuracies) >= mean(theirs.accuracies) - TOLERANCE
