"""The Fashion-MNIST example on small generated files: noise, and a bright band that tells the class."""

import gzip
import re
import struct

import numpy as np
import pytest

import fashion_mnist


def write(path, values):
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=1))


@pytest.fixture
def folder(tmp_path, rng):
    for images_name, labels_name, n in zip(
        fashion_mnist.FILES[:2], fashion_mnist.FILES[2:], (600, 100), strict=True
    ):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = rng.integers(0, 100, (n, 28, 28), np.uint8)
        for i, label in enumerate(labels):
            images[i, 2 * label : 2 * label + 4] += 100
        images[0, 0, :2] = 0, 255
        write(tmp_path / images_name, images)
        write(tmp_path / labels_name, labels)
    return tmp_path


def test_loads_rows_of_pixels_between_0_and_1(folder):
    X, X_test, y, y_test = fashion_mnist.load(fashion_mnist.find(folder / "missing", folder))
    assert (X.shape, X_test.shape, X.dtype) == ((600, 784), (100, 784), np.float32)
    assert (X[0, 0], X[0, 1], X.max()) == (0, 1, 1)
    assert (y[:12].tolist(), y_test.shape) == ([*range(10), 0, 1], (100,))


def test_tells_how_to_get_files_that_are_missing(folder, tmp_path, capsys):
    (folder / fashion_mnist.FILES[3]).unlink()
    assert fashion_mnist.main(["--data", str(folder)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"no Fashion-MNIST in {folder}\n")
    for needed in ("apt install dataset-fashion-mnist", fashion_mnist.SOURCE, *fashion_mnist.FILES):
        assert needed in message


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"not gzip",
        lambda whole: whole[:-100],
        lambda whole: whole[:20] + bytes([whole[20] ^ 255]) + whole[21:],
        lambda whole: gzip.compress(gzip.decompress(whole)[:-1]),
        lambda whole: gzip.compress(gzip.decompress(whole)[:9]),
        lambda whole: gzip.compress(b"\0\0\x0d" + gzip.decompress(whole)[3:]),
        lambda whole: gzip.compress(b""),
    ],
    ids=["other", "cut", "flipped", "pixel missing", "header cut", "floats", "empty"],
)
def test_names_a_file_that_is_damaged(folder, capsys, damage):
    path = folder / fashion_mnist.FILES[0]
    path.write_bytes(damage(path.read_bytes()))
    assert fashion_mnist.main(["--data", str(folder)]) == 1
    assert capsys.readouterr().err.startswith(f"{path} is damaged, or not a gzipped IDX file of bytes")


def test_trains_and_draws(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "curve.png"
    options = ["--data", str(folder), "--epochs", "20", "--seeds", "2", "--output", str(picture)]
    assert fashion_mnist.main(options) == 0
    out = capsys.readouterr().out
    accuracies = re.findall(r"^seed (\d): \d+\.\d\d s, test accuracy (\d+\.\d\d)%$", out, re.MULTILINE)
    assert [seed for seed, _ in accuracies] == ["0", "1"]
    assert min(float(accuracy) for _, accuracy in accuracies) > 90
    assert out.endswith(f"picture: {picture}\n")
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("no_matplotlib")
def test_works_without_matplotlib(folder, tmp_path, capsys):
    picture = tmp_path / "curve.png"
    assert fashion_mnist.main(["--data", str(folder), "--epochs", "1", "--output", str(picture)]) == 0
    assert 'no picture without Matplotlib: pip install "fastbp[plot]"' in capsys.readouterr().out
    assert not picture.exists()


def test_describes_the_mistakes_of_all_seeds():
    y = np.repeat(np.arange(10), 10).astype(np.uint8)
    first, second = y.astype(np.int64), y.astype(np.int64)
    first[y > 0] = np.where(np.arange(90) % 10 == 0, 0, first[y > 0])  # a tenth of all but class 0
    second[60:64] = 2
    told = fashion_mnist.describe_mistakes(y, [first, second])
    assert told == (
        "easiest: T-shirt/top, 100.0% of them recognized; "
        "hardest: Shirt, 75.0%, and 20.0% mistaken for Pullover"
    )


@pytest.mark.parametrize("option", ["--epochs", "--seeds"])
def test_refuses_to_do_nothing(option, capsys):
    with pytest.raises(SystemExit):
        fashion_mnist.main([option, "0"])
    assert "must be at least 1" in capsys.readouterr().err
