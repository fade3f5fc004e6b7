"""Libraries that draw and warn of their own, kept quiet."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from drawing a bar for a load of a second, and from tables of what did not fit."""
    from transformers.utils import logging as library_logging

    logging: Any = library_logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
