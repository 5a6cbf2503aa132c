"""Pictures in pages: what consists of many shapes is an image, but for what has the color of the page."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from fastbp._explain.pictures import DENSE, picture
from fastbp.plot._style import GREY, ink

MANY = np.stack([np.arange(DENSE + 1), np.arange(DENSE + 1) % 2], axis=1)


@pytest.mark.parametrize(("points", "images"), [(MANY, 1), (MANY[:-1], 0)])
def test_many_shapes_are_an_image(points, images):
    html = picture(lambda ax: ax.scatter(*points.T, color=GREY), "points")
    assert html.count("<image") == images


def test_lines_in_the_color_of_text_keep_it_however_long_they_are():
    def draw(ax):
        ax.contour(*np.meshgrid(*[np.arange(80)] * 2), np.indices((80, 80)).sum(0) % 2, [0.5], colors=[ink()])

    html = picture(draw, "a checkerboard has long borders")
    assert len(html) > 100_000
    assert "<image" not in html
    assert 'stroke: currentColor; stroke-width: 1.5"' in html
