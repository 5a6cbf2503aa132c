"""Batches that other libraries make, as docs/guide/data.md shows: the same bits as the arrays behind them."""

import numpy as np
import pytest

import fastbp

FEATURES = ("a", "b", "c")
SIZE, EPOCHS = 16, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(72, 3)).astype(np.float32)  # (n, n_in): the last batch is smaller
y = (X[:, 0] * X[:, 1]).astype(np.float32)  # (n,)
weights = rng.uniform(0.5, 2, 72).astype(np.float32)  # (n,)


def make():
    return fastbp.Network([3, 8, 1], activation="tanh", seed=0)


def assert_same_as_arrays(batches, epochs=EPOCHS, X=X, sample_weight=None, **options):
    net, expected = make(), make()
    history = net.fit(batches, epochs=epochs, **options)
    ends = {"epochs": epochs, "batch_size": SIZE, "shuffle": False}
    from_arrays = expected.fit(X, y, sample_weight=sample_weight, **ends)
    np.testing.assert_array_equal(net.parameters, expected.parameters)
    assert history.loss == from_arrays.loss
    return net


# ---- PyTorch -----------------------------------------------------------------------------------------------


@pytest.fixture
def data(torch):
    return pytest.importorskip("torch.utils.data")


def tensors(torch):
    return [torch.from_numpy(array) for array in (X, y, weights)]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_data_loader(torch, data, prefetch):
    loader = data.DataLoader(data.TensorDataset(*tensors(torch)[:2]), batch_size=SIZE)
    net = assert_same_as_arrays(loader, prefetch=prefetch)
    outputs = np.concatenate(list(net.predict(loader)))
    np.testing.assert_array_equal(outputs, net.predict(X))
    assert net.evaluate(loader)["loss"] == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-6)


def test_data_loader_with_sample_weights(torch, data):
    loader = data.DataLoader(data.TensorDataset(*tensors(torch)), batch_size=SIZE)
    assert_same_as_arrays(loader, sample_weight=weights)


def test_iterable_data_set(torch, data):
    class Rows(data.IterableDataset):
        def __iter__(self):
            inputs, targets, _ = tensors(torch)
            return iter(zip(inputs, targets, strict=True))

    assert_same_as_arrays(data.DataLoader(Rows(), batch_size=SIZE))


# ---- pyarrow -----------------------------------------------------------------------------------------------


@pytest.fixture
def pa():
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture
def table(pa):
    return pa.table({name: X[:, j] for j, name in enumerate(FEATURES)} | {"target": y})


class ArrowBatches:
    """Record batches that `read(path)` yields, in inputs and targets."""

    def __init__(self, read, path):
        self.read, self.path = read, path

    def __iter__(self):
        for batch in self.read(self.path):
            yield batch.select(FEATURES), batch["target"]


def test_parquet(pa, table, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")

    def read(path):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=SIZE)

    pq.write_table(table, tmp_path / "rows.parquet")
    net = assert_same_as_arrays(ArrowBatches(read, tmp_path / "rows.parquet"), prefetch=2)
    assert net.feature_names == FEATURES


def test_ipc(pa, table, tmp_path):
    def read(path):
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            for i in range(file.num_record_batches):
                yield file.get_batch(i)

    path = tmp_path / "rows.arrow"
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=SIZE)
    assert_same_as_arrays(ArrowBatches(read, path))


def test_columns_side_by_side(pa, table):
    batches = table.to_batches(max_chunksize=SIZE)
    columns = [(np.column_stack([batch[name] for name in FEATURES]), batch["target"]) for batch in batches]
    assert_same_as_arrays(columns)


# ---- Polars ------------------------------------------------------------------------------------------------


@pytest.fixture
def pl():
    return pytest.importorskip("polars", reason="polars is not installed")


@pytest.fixture
def frame(pl):
    return pl.from_numpy(X, schema=list(FEATURES)).with_columns(target=y)


def parts(frames):
    """Yield the frames in inputs and targets; columns in another order from the second frame on."""
    for i, part in enumerate(frames):
        yield part.select(FEATURES if i == 0 else FEATURES[::-1]), part["target"]


def test_slices_of_a_frame(frame):
    net = assert_same_as_arrays(list(parts(frame.iter_slices(SIZE))))
    assert net.feature_names == FEATURES


def test_lazy_frame(pl, frame, tmp_path):
    if not hasattr(pl.LazyFrame, "collect_batches"):
        pytest.skip("this version of polars has no LazyFrame.collect_batches")
    frame.write_parquet(tmp_path / "rows.parquet")
    lazy = pl.scan_parquet(tmp_path / "rows.parquet")
    assert_same_as_arrays(parts(lazy.collect_batches(chunk_size=SIZE, maintain_order=True)), epochs=1)
