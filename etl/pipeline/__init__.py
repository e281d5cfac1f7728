"""The only place that knows all stages: ids to a published dataset."""
