"""A stand-in Elasticsearch on a loopback socket, and the realistic sync jobs that it serves, for trying and testing."""
