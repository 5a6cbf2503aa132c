"""Pictures of the pages that `fastbp explain` writes, for the documentation; needs Playwright and Chromium.

Run it with the folder for the pictures: ``PYTHONPATH=tests python tools/screenshots.py docs/images``.
"""

import sys
import tempfile
from pathlib import Path

import fastbp
from fastbp.callbacks import RecordPath
from fastbp.datasets import load_digits, stratified_split
from helpers import browser as browsers

WIDTH, MARGIN = 980, 16


def digits_page(path: Path) -> None:
    """Write the page about a network that reads digits."""
    images, labels = load_digits()
    X, X_new, y, y_new = stratified_split(images / 16, labels, test_fraction=0.3, seed=0)
    net = fastbp.Network([64, 32, 10], loss="cross_entropy", optimizer="adam", seed=0)
    record = RecordPath()
    net.fit(X, y, epochs=25, batch_size=32, validation_data=(X_new, y_new), callbacks=record)
    fastbp.explain(
        net, X, y, X_val=X_new, y_val=y_new, record=record, title="A network that reads digits", path=path
    )


def shoot(browser, page: Path, picture: Path, *, first: str, last: str, pressed: str = "") -> None:
    """Write a picture of a page from one element to another, after a button was pressed five times."""
    with browsers.opened(browser, page, viewport={"width": WIDTH, "height": 900}) as tab:
        for _ in range(5 if pressed else 0):
            tab.click(pressed)
        top = tab.locator(first).bounding_box()
        bottom = tab.locator(last).bounding_box()
        end = bottom["y"] + bottom["height"] + MARGIN
        clip = {"x": 0, "y": max(top["y"] - MARGIN, 0), "width": WIDTH, "height": end - top["y"] + MARGIN}
        tab.screenshot(path=picture, full_page=True, clip=clip)


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name, browsers.running() as browser:
        lesson, digits = Path(name) / "lesson.html", Path(name) / "digits.html"
        fastbp.explain(path=lesson)
        digits_page(digits)
        last = ".panel:has(#worked-verdict)"
        picture = folder / "explain.png"
        shoot(browser, lesson, picture, first="#worked-example", last=last, pressed="#worked-ten")
        shoot(browser, digits, folder / "explain_network.png", first="#gradient-flow", last="#landscape")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
