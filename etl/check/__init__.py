"""Is a dataset whole, is a cluster reachable: checks that change nothing."""
