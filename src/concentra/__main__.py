"""``python -m concentra``."""

from concentra.cli import main

if __name__ == "__main__":
    main()
