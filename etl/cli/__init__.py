"""The command line: a command parses, calls one function of the package, and prints one summary."""
