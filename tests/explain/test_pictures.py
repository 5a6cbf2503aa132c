"""Pictures of pages: their settings are their own, those of the user stay."""

import threading

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import matplotlib as mpl

from fastbp._explain.pictures import DENSE, INK, picture


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
