"""Libraries that draw and warn of their own, kept quiet."""

import contextlib
import os
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


@contextlib.contextmanager
def quiet_datasets() -> Iterator[None]:
    """Keep datasets from drawing bars of its own steps, and the Hub's client from telling each retry."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging

    logging: Any = hub_logging
    shown, level = not are_progress_bars_disabled(), logging.get_verbosity()
    disable_progress_bars()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            enable_progress_bars()


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Send what libraries in C write to stderr nowhere, as a decoder does of each frame that is damaged.

    For programs of one thread: whatever others write meanwhile is lost as well.
    """
    with contextlib.ExitStack() as stack:
        # Without a stderr there is nothing to keep it from.
        with contextlib.suppress(OSError):
            kept = os.dup(2)
            stack.callback(os.close, kept)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
            stack.callback(os.dup2, kept, 2)
        yield
