"""The page without data, in a browser."""

from helpers.browser import opened


def test_the_page_opens_without_errors(browser, lesson):
    with opened(browser, lesson) as page:
        assert page.evaluate("Object.keys(fastbp.data).length") == 6
