"""`fastbp explain`: the pages that it writes, what it prints, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import fastbp
from fastbp.cli import commands, explain
from helpers.csv_files import error_of, run, run_json, species, write


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model file of three species; the data are beside it."""
    folder = tmp_path_factory.mktemp("explain")
    data, model = write(folder / "data.csv", species()), str(folder / "model.safetensors")
    options = "--hidden", "3", "--epochs", "2", "--output", model, "--quiet"
    assert commands.main(["train", data, "--target", "species", *options]) == 0
    return model


@pytest.fixture
def data(model):
    return model.replace("model.safetensors", "data.csv")


@pytest.fixture
def without_pictures(monkeypatch):
    """Pages with the first part alone, which take no time."""
    from fastbp._explain import about_network

    monkeypatch.setattr(about_network, "TOPICS", about_network.TOPICS[:1])


def test_without_arguments_it_writes_the_lesson(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "explain") == "fastbp-explain.html: why the derivative matters, to try out\n"
    assert (tmp_path / "fastbp-explain.html").read_text(encoding="utf-8") == fastbp.explain().html


def test_with_a_model_and_a_table_it_writes_their_page(
    capsys, model, data, tmp_path, without_pictures, monkeypatch
):
    path = tmp_path / "page.html"
    line = f"{path}: model.safetensors on data.csv, 60 rows\n"
    assert run(capsys, "explain", model, data, "--output", path) == line
    html = path.read_text(encoding="utf-8")
    assert "<title>model.safetensors on data.csv</title>" in html
    loss = run_json(capsys, "evaluate", model, data)["scores"]["loss"]
    assert f">{loss:.4g}<" in html
    assert run(capsys, "explain", model, data, "--output", path, "--quiet") == ""
    found = run_json(capsys, "explain", model, data, "--output", path)
    assert found == {"output": str(path), "model": model, "data": data, "rows": 60, "unknown": {}}
    monkeypatch.setattr(explain.sys.stderr, "isatty", lambda: True, raising=False)
    assert commands.main(["explain", model, data, "--output", str(path)]) == 0
    assert capsys.readouterr() == (line, "The network ...\n")


def test_categories_that_training_did_not_have_are_told(capsys, model, tmp_path, without_pictures):
    columns = species()
    columns["island"][:2] = ["Atlantis", "Avalon"]
    data, path = write(tmp_path / "data.csv", columns), tmp_path / "page.html"
    out = run(capsys, "explain", model, data, "--output", path)
    assert out.endswith("categories that training did not have: island (2)\n")


def test_images_have_a_shape(capsys, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(explain.fastbp, "explain", lambda *_, **options: seen.update(options))
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", X=rng.normal(size=(40, 6)), y=np.arange(40) % 2)
    model, data = tmp_path / "model.safetensors", tmp_path / "data.npz"
    run(capsys, "train", data, "--target", "y", "--epochs", 1, "--output", model, "--quiet")
    options = "--output", tmp_path / "page.html", "--quiet"
    run(capsys, "explain", model, data, "--image-shape", "2,3", "--seed", 5, *options)
    assert (seen["image_shape"], seen["seed"]) == ((2, 3), 5)


def test_open_shows_the_page_in_a_browser(capsys, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or len(shown) == 1)
    path = tmp_path / "page.html"
    run(capsys, "explain", "--output", path, "--open", "--quiet")
    assert shown == [path.as_uri()]
    message = error_of(capsys, "explain", "--output", path, "--open", "--quiet")
    assert message == f"fastbp explain: {path} is written, but no browser could be opened to show it\n"


def test_what_does_not_go_together_is_refused(capsys, model, data, tmp_path):
    path = tmp_path / "page.html"
    output = "--output", path
    assert "expected both or none" in error_of(capsys, "explain", model, *output)
    assert "--seed is given without MODEL" in error_of(capsys, "explain", "--seed", 1, *output)
    assert "--image-shape is given without" in error_of(capsys, "explain", "--image-shape", "2,3", *output)
    assert "would overwrite" in error_of(capsys, "explain", model, data, "--output", data)
    assert "no directory" in error_of(capsys, "explain", "--output", tmp_path / "none" / "page.html")
    assert "image_shape is (2, 2)" in error_of(
        capsys, "explain", model, data, "--image-shape", "2,2", *output, "--json"
    )
    for shape in ("none", "8", "0,8", "1,2,3,4", "a,b", ""):
        error = error_of(capsys, "explain", model, data, "--image-shape", shape)
        assert "is not the size of an image" in error
    assert "No such file" in error_of(capsys, "explain", model, tmp_path / "none.csv", *output)
    plain = tmp_path / "plain.safetensors"
    fastbp.Network([2, 1], seed=0).save(plain)
    assert "does not say which column is the target" in error_of(capsys, "explain", plain, data, *output)
    assert not path.exists()
    path.mkdir()
    assert "is not the name of a file" in error_of(capsys, "explain", *output)


def test_the_names_of_files_are_text(capsys, model, data, tmp_path, without_pictures):
    other = tmp_path / "<script>alert(1).csv"
    other.write_bytes(Path(data).read_bytes())
    path = tmp_path / "page.html"
    run(capsys, "explain", model, other, "--output", path)
    assert "<script>alert" not in path.read_text(encoding="utf-8")


def test_answers_are_judged_by_the_rows_held_out(capsys, model, data, tmp_path, without_pictures):
    path, new = tmp_path / "page.html", write(tmp_path / "new.csv", species(20, seed=1))
    run(capsys, "explain", model, data, "--held-out", new, "--output", path, "--quiet")
    html = path.read_text(encoding="utf-8")
    loss = run_json(capsys, "evaluate", model, new)["scores"]["loss"]
    assert "held out</th>" in html
    assert f">{loss:.4g}<" in html
    message = error_of(capsys, "explain", model, data, "--held-out", new, "--output", new)
    assert "would overwrite" in message
    assert "--held-out is given without MODEL" in error_of(capsys, "explain", "--held-out", new)
