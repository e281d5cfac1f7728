"""The HTML page about the sync history: figures out of a dataset, and the page that shows them without a network."""
