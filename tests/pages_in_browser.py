"""Pages opened in a browser, with what they complain of and ask for."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def opening(browser: Any, folder: Path) -> Iterator[Callable[..., Any]]:
    """Give a function that opens `NAME.html` of a folder; what was opened is closed at the end.

    A page's `complaints` are what it wrote to the console, its errors and dialogs; `asked` the addresses that
    it loaded.
    """
    with contextlib.ExitStack() as stack:

        def open_page(name: str, width: int = 1300, **options: Any) -> Any:
            context = browser.new_context(viewport={"width": width, "height": 900}, **options)
            stack.callback(context.close)
            page = context.new_page()
            page.complaints, page.asked = [], []
            page.on("console", lambda message: page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
            page.on("request", lambda request: page.asked.append(request.url))
            page.goto((folder / f"{name}.html").as_uri())
            return page

        yield open_page
