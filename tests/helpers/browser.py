"""A real browser for pages: Chromium without a window, driven by Playwright."""

import shutil
from contextlib import contextmanager
from importlib.util import find_spec

NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable():
    """Return the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing():
    """Return what is missing to run a browser, as the reason of a skipped test; "" if nothing is."""
    if find_spec("playwright") is None:
        return "Playwright is not installed"
    return "" if executable() else "Chromium is not installed"


@contextmanager
def running():
    """Yield a browser of Playwright; `new_page` of it opens a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]  # as root, and without a screen
        browser = playwright.chromium.launch(executable_path=executable(), args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(browser, path, **options):
    """Yield a page of a file; when it is left, it must have had no error and loaded nothing else.

    The options are those of Playwright's `new_page`, such as viewport and color_scheme.
    """
    page = browser.new_page(**options)
    errors, requests = [], []
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"file://{path}")
    yield page
    page.close()
    assert errors == []
    assert requests == [f"file://{path}"]
