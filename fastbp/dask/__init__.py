"""Training beyond one machine, with Dask."""
