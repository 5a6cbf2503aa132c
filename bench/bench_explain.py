"""Measures how long pages of `fastbp.explain` take and how large they are: the lesson, and the digits."""

import pytest

import fastbp
from fastbp._explain.lesson import lesson
from fastbp.callbacks import RecordPath
from fastbp.datasets import load_digits

SECONDS, MEGABYTES = 20, 2  # limits of a page
TITLE = "pages of fastbp.explain; medians"


def digits():
    """Return the arguments of `explain` for a network that reads 1797 digits."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    images, labels = load_digits()
    net, record = fastbp.Network([64, 32, 10], loss="cross_entropy", seed=0), RecordPath()
    net.fit(images / 16, labels, epochs=25, batch_size=32, callbacks=record)
    return (net, images / 16, labels), {"record": record}


PAGES = {"the lesson": lambda: ((), {}), "digits, 64-32-10": digits}


@pytest.mark.parametrize("name", PAGES)
def test_page(name, benchmark, report):
    arguments, options = PAGES[name]()

    def once():
        lesson.cache_clear()
        return fastbp.explain(*arguments, **options)

    page = benchmark.pedantic(once, rounds=5, warmup_rounds=1)
    seconds, size = benchmark.stats.stats.median, len(page.html.encode()) / 1e6
    report.append(f"{name}: {seconds:.2f} s, {size:.2f} MB")
    assert seconds < SECONDS
    assert size < MEGABYTES
