"""`python -m harness` is `kmatrix`."""

from harness.cli import main

if __name__ == "__main__":
    main()
