"""`python -m etl`."""

from etl.cli.main import program

if __name__ == "__main__":
    program()
