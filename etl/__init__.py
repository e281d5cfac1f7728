"""Elasticsearch connector sync jobs as tidy tables."""
