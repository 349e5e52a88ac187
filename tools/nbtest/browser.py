"""What a reader does, in the real JupyterLab in a real browser: open 00-start-here, run it all, move a slider, ask for a completion and for help, turn a
live knob, make a mistake, interrupt a long cell; open 03, run it all, move its slider. Exits 0 with a word where no browser is installed, unless CI is set.
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import lab

passed = 0


def check(what, holds, detail=""):
    global passed
    if not holds:
        raise AssertionError(f"{what} {detail}")
    passed += 1
    print(f"ok    {what}", flush=True)


def last_cell(pg):
    return pg.locator(".jp-Notebook .jp-CodeCell").last


def new_cell(pg, source):
    """Append a code cell with the given text; returns it, the cursor at its end."""
    pg.click("text=Edit >> nth=0")
    pg.keyboard.press("Escape")
    pg.locator(".jp-Notebook .jp-Cell").last.locator(".jp-InputPrompt, .jp-InputArea-prompt").first.click()
    pg.keyboard.press("Escape")
    pg.keyboard.press("b")
    pg.wait_for_timeout(400)
    pg.keyboard.press("Enter")
    pg.keyboard.insert_text(source)
    pg.wait_for_timeout(400)
    return last_cell(pg)


def remove(pg):
    """Take the new cell away again."""
    pg.keyboard.press("Escape")
    pg.keyboard.press("Escape")
    pg.keyboard.press("d")
    pg.keyboard.press("d")
    pg.wait_for_timeout(300)


def everything(pg, name, figures):
    lab.run_all(pg, 400)
    prompts = pg.eval_on_selector_all(".jp-CodeCell .jp-InputArea-prompt", "ps => ps.map(p => p.textContent)")
    check(f"every cell of {name} was executed", prompts and all(p.strip("[]: ").isdigit() for p in prompts), str(prompts))
    errors = pg.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], .jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    check("no cell ends in an error or writes to stderr", errors.count() == 0)
    check("figures are drawn inline", pg.locator(".jp-OutputArea-output svg[role=img]").count() >= figures)
    ink = pg.evaluate("() => getComputedStyle(document.querySelector('.jp-OutputArea-output svg text')).fill")
    page = pg.evaluate("() => getComputedStyle(document.querySelector('.jp-OutputArea-output svg').parentElement).color")
    check("their text has the theme's color", ink == page, f"{ink} on a page of {page}")


def slider(pg, which):
    player = pg.locator(".latent-player").nth(which)
    player.scroll_into_view_if_needed()

    def shown():
        return player.evaluate("p => [...p.querySelectorAll('.latent-frame')].map((f, i) => f.style.display == 'none' ? -1 : i).filter(i => i >= 0)")

    before = shown()
    box = player.locator("input[type=range]")
    box.focus()
    for _ in range(3):
        pg.keyboard.press("ArrowRight")
    check("the slider shows another figure", len(before) == 1 and shown() == [before[0] + 3], f"{before} then {shown()}")
    check("and says which", player.locator("output").text_content().strip() == "5", player.locator("output").text_content())


def completion(pg):
    new_cell(pg, "%%\nfmt.Println(strings.HasPre")
    for _ in range(8):  # gopls may still be reading the repository
        pg.keyboard.press("Tab")
        try:
            pg.wait_for_selector(".jp-Completer:not(.lm-mod-hidden)", timeout=4000)
            break
        except Exception:
            if "HasPrefix" in last_cell(pg).locator(".cm-content").inner_text():
                break  # the only match is put in at once
    text = last_cell(pg).locator(".cm-content").inner_text()
    offered = pg.locator(".jp-Completer").inner_text() if pg.locator(".jp-Completer:not(.lm-mod-hidden)").count() else ""
    check("Tab completes a name of the standard library", "HasPrefix" in text + offered, repr(text))
    remove(pg)


def help_text(pg):
    new_cell(pg, "%%\nfmt.Println(nb.Number)")
    for _ in range(3):
        pg.keyboard.press("ArrowLeft")
    pg.keyboard.press("Shift+Tab")
    pg.wait_for_selector(".jp-Tooltip", timeout=20_000)
    said = pg.locator(".jp-Tooltip").inner_text()
    check("Shift+Tab shows a name's documentation", "Number(x float64) string" in said and "significant digits" in said, repr(said))
    pg.keyboard.press("Escape")
    remove(pg)


def live_knob(pg):
    cell = new_cell(pg, '''%%
nb.LiveSlider("noise", 0, 9, 3, func(v int) plotting.Figure {
return plotting.New(plotting.Line(nil, []float64{1, float64(v)})).Title(fmt.Sprint("drawn for ", v))
})''')
    pg.keyboard.press("Control+Enter")
    picture = cell.locator(".jp-OutputArea svg[role=img]")
    cell.locator(".latent-live input[type=range]").focus(timeout=30_000)
    first = picture.last.text_content()
    pg.keyboard.press("ArrowRight")
    pg.keyboard.press("ArrowRight")
    cell.locator(".jp-OutputArea svg[role=img]", has_text="drawn for 5").wait_for(timeout=20_000)
    check("a live knob calls the running cell, which draws anew", "drawn for 3" in first and picture.count() == 1, f"{first!r}, {picture.count()} pictures")
    cell.locator(".latent-live button").click()
    pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
    pg.wait_for_timeout(300)
    left = cell.locator(".latent-live")
    check("Done ends the cell and leaves the value", left.locator("input").count() == 0 and "5" in left.inner_text(), left.inner_text())
    remove(pg)


def mistake(pg):
    for source, says, line in (("%%\nx := 1\nfmt.Println(y)", "undefined: y", "3"), ('%%\nvar a []int\nfmt.Println("before")\n_ = a[7]', "index out of range [7]", "4")):
        cell = new_cell(pg, source)
        pg.keyboard.press("Control+Enter")
        cell.locator("[data-mime-type='application/vnd.jupyter.error'], .jp-RenderedHTMLCommon pre, [data-mime-type='application/vnd.jupyter.stderr']").first.wait_for(timeout=30_000)
        pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
        pg.wait_for_timeout(300)
        said = cell.locator(".jp-OutputArea").inner_text()
        check(f"a mistake is named with its line: {says}", says in said and re.search(rf"[Ll]ine:? {line}\b", said), said[:2000])
        remove(pg)


def interrupt(pg):
    cell = new_cell(pg, '%%\nfmt.Println("begun")\n<-nb.Context().Done()\nfmt.Println("stopped")\ntime.Sleep(50 * time.Millisecond)')
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text="begun").wait_for(timeout=60_000)  # before, the compiler would be interrupted
    pg.click("text=Kernel >> nth=0")
    pg.click("text=/^Interrupt Kernel/")
    pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
    pg.wait_for_timeout(500)
    check("an interrupted cell ends by its context", "stopped" in cell.locator(".jp-OutputArea").inner_text(), cell.locator(".jp-OutputArea").inner_text())
    cell = new_cell(pg, '%%\nfmt.Println("the kernel", 40+2)')
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output").first.wait_for(timeout=60_000)
    check("and the kernel lives on", "the kernel 42" in cell.locator(".jp-OutputArea").inner_text())


def main():
    if not lab.chromium():
        print("no Chromium or Chrome found: JupyterLab was not driven in a browser. On Debian or Ubuntu: apt install chromium")
        sys.exit(1 if os.environ.get("CI") else 0)
    notebooks = {
        "00-start-here": [lambda pg: everything(pg, "00-start-here", 4), lambda pg: slider(pg, 0), completion, help_text, live_knob, mistake, interrupt],
        "03-partitional-clustering": [lambda pg: everything(pg, "03-partitional-clustering", 15), lambda pg: slider(pg, 1)],
    }
    # A copy, so that nothing a test does is saved into the repository's notebooks.
    with tempfile.TemporaryDirectory(prefix="latent-browser-") as tmp, lab.server(tmp, lab.PLAIN) as (url, token):
        for name, steps in notebooks.items():
            shutil.copy(lab.ROOT / "notebooks" / f"{name}.ipynb", tmp)
            with lab.page(url, token, f"{name}.ipynb") as pg:
                try:
                    for step in steps:
                        step(pg)
                except Exception:
                    shot = lab.ROOT / ".cache" / "browser-failure.png"
                    shot.parent.mkdir(exist_ok=True)
                    pg.screenshot(path=shot)
                    print(f"failed; what the browser showed is in {shot.relative_to(lab.ROOT)}")
                    raise
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
