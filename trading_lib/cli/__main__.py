"""``python -m trading_lib.cli``: the command ``trading`` of this very interpreter."""

from trading_lib.cli import main

if __name__ == "__main__":
    main()
