"""`python -m etl`."""

from etl.cli.entry import program

if __name__ == "__main__":
    program()
