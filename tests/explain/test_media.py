"""The whole lesson on a phone and in print, and the labels of what scripts put into it."""

import fastbp
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


def test_text_of_twice_the_size_fits(browser, lesson):
    with opened(browser, lesson, viewport={"width": 640, "height": 400}) as page:
        page.add_style_tag(content="html { font-size: 200% }")
        assert page.evaluate(WIDE) == []


def test_print_has_the_colors_for_white_paper(browser, lesson):
    blue = "getComputedStyle(document.documentElement).getPropertyValue('--blue')"
    with opened(browser, lesson, color_scheme="light") as page:
        light = page.evaluate(blue)
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(blue) != light
        page.emulate_media(media="print")
        assert page.evaluate(blue) == light


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


def test_who_comes_back_finds_lists_that_say_what_the_page_shows(browser, lesson):
    lists = "each => each.map(one => one.value)"
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"file://{lesson}")
    before = page.eval_on_selector_all("select, input", lists)
    page.select_option("#worked-activation-0", "tanh")
    page.select_option("#depth-activation", "relu")
    page.fill("#depth-depth", "3")
    page.goto("about:blank")
    page.go_back()
    page.evaluate("() => new Promise(done => setTimeout(done, 50))")  # browsers restore after the scripts
    assert page.eval_on_selector_all("select, input", lists) == before
    assert page.evaluate("fastbp.state.depth.net.layers.length") == 11
    page.close()


def test_a_run_is_told_once_and_not_at_every_step(browser, lesson):
    heard = """() => {
        const heard = window.heard = {};
        for (const each of document.querySelectorAll("[role=status], [aria-live], output")) {
            if (each.getAttribute("aria-live") === "off") continue;
            new MutationObserver(() => { heard[each.id] = (heard[each.id] ?? 0) + 1; })
                .observe(each, { childList: true, characterData: true, subtree: true });
        }
    }"""
    with opened(browser, lesson) as page:
        page.evaluate(heard)
        for name in ("worked", "descent", "constant-derivative"):
            if page.inner_text(f"#{name}-run") != "Stop":
                page.click(f"#{name}-run")
        page.wait_for_function("fastbp.state['worked-example'].steps > 10")
        page.wait_for_function("fastbp.state['constant-derivative'].steps > 30")
        assert page.evaluate("window.heard").pop("worked-status") == 1
        assert max(page.evaluate("window.heard").values()) <= 2


def test_in_a_notebook_links_lead_within_the_frame(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{fastbp.explain()._repr_html_()}", encoding="utf-8")
    with opened(browser, path) as notebook:
        _, frame = notebook.frames
        link = frame.locator("nav a").last
        anchor = link.get_attribute("href")
        link.click()
        assert frame.url == f"about:srcdoc{anchor}"
        assert frame.evaluate("scrollY") > 1000
        assert frame.locator("svg").first.is_visible()  # which a script has drawn
