"""Datasets in object stores: what a bucket has instead of folders, renames, links and locks."""
