"""`python -m mmser`: the command line."""

from mmser.cli import main

main()
