"""The whole lesson on a phone and in print, and the labels of what scripts put into it."""

from helpers.browser import opened

SMALL = """[...document.querySelectorAll("button, select, input, [role=button]")]
    .filter(each => each.getClientRects().length && each.getBoundingClientRect().height < 24)
    .map(each => each.id || each.getAttribute("aria-label") || each.outerHTML)"""
WIDE = """[...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".wide"))
    .map(each => each.id || each.tagName)"""
NAMED = "input, select, textarea, svg, button, [role=button]"
UNNAMED = """selector => [...document.querySelectorAll(selector)].filter(each => {
    if (each.closest("[aria-hidden=true]")) return false;
    const name = each.getAttribute("aria-label") || each.getAttribute("aria-labelledby");
    if (each.localName === "svg") return !(each.getAttribute("role") && name);
    return !(name || each.labels?.length || each.textContent.trim());
}).map(each => each.outerHTML.slice(0, 120))"""

# Of each text in a picture: its words, the size of its letters, and by how much it is outside of the picture.
TEXTS = """[...document.querySelectorAll("svg text")].map(text => {
    const box = text.getBoundingClientRect(), around = text.closest("svg").getBoundingClientRect();
    const scale = text.getScreenCTM(), size = parseFloat(getComputedStyle(text).fontSize);
    return [text.textContent, size * Math.hypot(scale.a, scale.b), Math.max(around.left - box.left,
        box.right - around.right, around.top - box.top, box.bottom - around.bottom)];
})"""


def test_on_a_phone_nothing_is_too_wide_or_too_small(browser, lesson):
    with opened(browser, lesson, viewport={"width": 360, "height": 740}) as page:
        assert page.evaluate(WIDE) == []
        root = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert root[0] <= root[1]
        assert page.evaluate(SMALL) == []
        texts = page.evaluate(TEXTS)
        assert [text for text, size, _ in texts if size < 10] == []
        assert [text for text, _, outside in texts if outside > 0.5] == []


def test_print_has_no_controls(browser, lesson):
    with opened(browser, lesson) as page:
        page.emulate_media(media="print")
        shown = "each => each.filter(one => one.getClientRects().length).map(one => one.outerHTML)"
        assert page.eval_on_selector_all("input[type=range], select, .controls, nav", shown) == []
        assert page.pdf().startswith(b"%PDF")


def test_everything_has_a_name_and_a_unique_id(browser, lesson):
    with opened(browser, lesson) as page:
        assert page.evaluate(UNNAMED, NAMED) == []
        ids = page.eval_on_selector_all("[id]", "each => each.map(one => one.id)")
        assert len(set(ids)) == len(ids)
