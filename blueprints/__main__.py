"""`python -m blueprints` is the console script `blueprints`."""

from .cli import main

if __name__ == "__main__":
    main()
