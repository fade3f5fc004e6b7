"""`python -m mmser`: the command line."""

import sys


def start() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends as it does later."""
    try:
        from mmser.cli import main
    except KeyboardInterrupt:
        print("mmser: error: interrupted", file=sys.stderr)
        sys.exit(130)
    main()


if __name__ == "__main__":
    start()
