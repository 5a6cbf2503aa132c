"""Pictures of pages: what is an image in them; their settings are their own, those of the user stay."""

import threading

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import matplotlib as mpl
import numpy as np

from fastbp._explain.pictures import DENSE, INK, picture
from fastbp.plot._style import GREY, ink

MANY = np.stack([np.arange(DENSE + 1), np.arange(DENSE + 1) % 2], axis=1)


def test_settings_of_the_user_change_nothing(tmp_path, monkeypatch):
    """Above all, no image in a file of its own, which the page would load."""
    monkeypatch.chdir(tmp_path)
    numbers = range(DENSE + 1)

    def draw(axes):
        axes.scatter(numbers, numbers, label="rows")
        axes.legend()

    plain = picture(draw, "Rows.")
    odd = {"svg.image_inline": False, "text.usetex": True, "savefig.bbox": "tight", "font.size": 30}
    with mpl.rc_context(odd):
        assert picture(draw, "Rows.") == plain
        assert mpl.rcParams["font.size"] == 30
    assert "<image" in plain
    assert [*tmp_path.iterdir()] == []


def test_pages_of_two_threads_leave_the_settings_as_they_were():
    """The first one begins, then the second one, and the first one ends before it."""
    before = dict(mpl.rcParams)
    has_begun, has_ended = threading.Event(), threading.Event()

    def draw_second(_):
        has_begun.set()
        has_ended.wait(5)

    second = threading.Thread(target=picture, args=(draw_second, "Second."))

    def draw_first(_):
        second.start()
        has_begun.wait(0.1)  # in vain, as it is not its turn

    picture(draw_first, "First.")
    has_ended.set()
    second.join()
    assert has_begun.is_set()
    assert dict(mpl.rcParams) == before


def test_a_name_like_that_of_the_color_is_text():
    html = picture(lambda axes: axes.set_title(INK), "A name.")
    assert f">{INK}<" in html
    assert html.count(INK) == 1
    assert "currentColor" in html


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
