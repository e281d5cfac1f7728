"""Every sync job that a cluster has, or those that are new: by its list, and by the index where that is allowed."""
