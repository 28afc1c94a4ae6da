"""`python -m streams`: the same as `bounceline`."""

from streams.cli import main

main()
