"""Ids to raw documents: the jobs file, the client, the verdict on each answer, retries, many ids at once."""
