"""Tables to a dataset on disk: staging, snapshots, Parquet, manifests, the lock."""
