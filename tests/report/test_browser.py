"""The page in headless Chromium: no complaint, filters, search, zoom, the record, print, and 2,000 samples."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.core.params import load_params
from stages.report.page import CARD_BYTES, REST_BYTES, render
from stages.report.pictures import small_picture
from stages.report.record import write_record
from stages.report.tables import load_world
from tests.report.browser import Page, visit

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here: the page's script is not run")
PAGE = Path("metrics/report/index.html")
SHOWN = "document.querySelectorAll('.card:not([hidden])').length"
CHOOSE = "(() => {{ const s = document.querySelector('[data-key={0}]'); s.value = '{1}'; s.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
SAID = "document.getElementById('shown').textContent"


async def _use(page: Page) -> dict[str, Any]:
    """Filter, search, enlarge, zoom and print; what was found."""
    found: dict[str, Any] = {"all": await page.do(SHOWN)}
    await page.do(CHOOSE.format("outcome", "hit"))
    await page.until(f"{SAID}.startsWith({SHOWN} + ' of') && {SHOWN} < {found['all']}")
    found["hits"] = await page.do("[...document.querySelectorAll('.card:not([hidden])')].every((card) => card.dataset.outcome === 'hit')")
    await page.do(CHOOSE.format("dataset", "film_tiny"))
    await page.until("[...document.querySelectorAll('.card:not([hidden])')].every((card) => card.dataset.dataset === 'film_tiny')")
    await page.do("document.querySelector('#filters button').click()")
    await page.until(f"{SHOWN} === {found['all']}")
    await page.do("(() => { const w = document.getElementById('words'); w.value = 'SPLEEN inside'; w.dispatchEvent(new Event('input', {bubbles: true})); })()")
    await page.until(f"0 < {SHOWN} && {SHOWN} < {found['all']}")
    found["searched"] = await page.do("[...document.querySelectorAll('.card:not([hidden])')].every((card) => card.textContent.includes('spleen'))")
    await page.do("document.querySelector('.card:not([hidden]) .enlarge').click()")
    await page.until("document.getElementById('large').open && document.querySelector('.pane img').naturalWidth > 0")
    width = await page.do("document.querySelector('.pane .picture').clientWidth")
    await page.do("document.querySelector('[data-do=in]').click()")
    found["zoom"] = await page.do("document.querySelector('.pane .picture').clientWidth") / width
    await page.do("document.getElementById('large').close(); document.getElementById('record').open = true")
    await page.until("document.getElementById('record-said').textContent.startsWith('As recorded')")
    found["hostile"] = await page.do("document.querySelectorAll('main script').length")
    found["pdf"] = base64.b64decode((await page.call("Page.printToPDF"))["data"])
    found["loaded"] = await page.do("[...document.querySelectorAll('img[data-picture]')].filter((image) => !image.naturalWidth).length")
    found["complaints"] = page.complaints
    return found


def test_filters_search_zoom_record_and_print_work_without_a_complaint(run_copy: Path) -> None:
    write_record(PAGE, load_params())
    found = visit((run_copy / PAGE).as_uri(), _use)
    assert found["complaints"] == []
    assert found["hits"] and found["searched"]
    assert found["zoom"] == pytest.approx(1.5, abs=0.02)
    assert found["hostile"] == 0
    assert len(re.findall(rb"/Subtype\s*/Image", found["pdf"])) > 10
    assert found["loaded"] == 0


async def _filter_many(page: Page) -> tuple[int, float, int, list[str]]:
    """Cards, milliseconds from a choice to the painted result, pictures that were loaded at the start, complaints."""
    await page.do("document.getElementById('samples').scrollIntoView()")
    await page.until("[...document.querySelectorAll('img[data-picture]')].some((image) => image.naturalWidth)")
    loaded = await page.do("[...document.querySelectorAll('img[data-picture]')].filter((image) => image.src).length")
    script = """(async () => { const begun = performance.now(); const s = document.querySelector('[data-key=outcome]'); s.value = 'hit';
        s.dispatchEvent(new Event('input', {bubbles: true}));
        while (!document.querySelector('.card[hidden]')) await new Promise((done) => setTimeout(done, 5));
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        return performance.now() - begun; })()"""
    return await page.do("document.querySelectorAll('.card').length"), await page.do(script), loaded, page.complaints


def _many(text: str) -> tuple[str, int]:
    """A page with 2,000 cards, each with a picture of its own that takes its whole share of the page's size."""
    cards = re.findall(r'<article class="card".*?</article>\n', text, flags=re.DOTALL)
    share = (60_000_000 - REST_BYTES - CARD_BYTES * 2000) // 2000
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (240, 320), dtype=np.uint8)).save(noise, "png")
    uri = small_picture(noise.getvalue(), 320, "s", share).uri
    assert len(uri) <= share
    added = [re.sub(r'data-picture="[^"]*"', f'data-picture="extra{number}"', cards[number % len(cards)]) for number in range(2000)]
    stored = "".join(f'"extra{number}":"{uri}",' for number in range(2000))
    text = text.replace(cards[0], cards[0] + "".join(added), 1)
    return text.replace('id="pictures">{', f'id="pictures">{{{stored}', 1), len(cards) + 2000


def test_two_thousand_samples_stay_under_the_limit_and_answer_at_once(run_copy: Path) -> None:
    params = load_params()
    text, expected = _many(render(load_world(list(params.datasets)), params))
    Path("many.html").write_text(text, encoding="utf-8")
    assert 30_000_000 < Path("many.html").stat().st_size < 60_000_000
    count, took_ms, loaded, complaints = visit(Path("many.html").absolute().as_uri(), _filter_many)
    assert (count, complaints) == (expected, [])
    assert 0 < loaded < 200, "pictures that are far from the screen wait"
    assert took_ms < 15_000, f"a filter took {took_ms:.0f} ms until its result was painted"
