"""What a person or a machine sees of a run while it goes on: logs and progress, on stderr."""
