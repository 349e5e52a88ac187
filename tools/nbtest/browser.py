"""What a reader does, in the real JupyterLab in a real browser: open 00-start-here, ask for completions of a fresh kernel, run it all, move a slider, ask for help,
turn a live knob, make mistakes, interrupt a long cell, a fit and a loop that prints without end; open 03, run it all, move its slider. Exits 0 with a word where no browser is installed, unless CI is set.
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

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


def opened(pg):
    """What a newcomer sees before a key is pressed."""
    pg.wait_for_timeout(2000)  # a pop-up would take its time
    check("no news pop up", pg.locator(".Toastify__toast").count() == 0)
    names = pg.locator(".jp-FileBrowser .jp-DirListing-itemText")
    cut = names.evaluate_all("ns => ns.filter(n => n.scrollWidth > n.clientWidth || [...n.querySelectorAll('span')].some(s => s.scrollWidth > s.clientWidth)).map(n => n.innerText)")
    check("file names are whole", names.count() >= 20 and not cut, str(cut))


def offered(pg, seconds):
    """Press Tab and return the names that are offered and the documentation beside them, or the text of the cell where there was but one name."""
    pg.keyboard.press("Tab")
    begun = time.monotonic()
    names = pg.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item .jp-Completer-match")
    before = last_cell(pg).locator(".cm-content").inner_text()
    while time.monotonic() - begun < seconds:
        if names.count():
            break
        if last_cell(pg).locator(".cm-content").inner_text() != before:
            return [], last_cell(pg).locator(".cm-content").inner_text(), time.monotonic() - begun  # the only match is put in at once
        pg.wait_for_timeout(20)
    took = time.monotonic() - begun
    pg.wait_for_timeout(700)  # the documentation is asked for afterwards
    panel = pg.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-docpanel")
    return names.all_inner_texts(), panel.inner_text() if panel.count() else "", took


def completion(pg):
    fit = "m := nb.Must(cluster.KMeans{K: 3}.Fit(nb.Context(), datasets.Iris().X))\n"
    for source, wanted, beside, unwanted, seconds in (
        ("%%\nfmt.Println(strings.HasPre", "HasPrefix", "", "", 6),  # the first of a fresh kernel
        ("%%\n" + fit + "m.", "Labels", "", "for", 3),
        ("%%\nplotting.New().", "Title", "", "", 3),
        ("%%\nkm := cluster.KMeans{", "Restarts", "number of clusters, 1 ≤ K ≤ n", "append", 3),
        ("%%\nkm := cluster.", "KMeans", "", "BenchmarkKMeans", 3),
    ):
        new_cell(pg, source)
        names, text, took = offered(pg, seconds)
        names = [n.strip().rstrip(":") for n in names]
        asked = source.rsplit("\n", 1)[1]
        check(f"Tab behind {asked!r} offers {wanted} within {seconds} s", wanted in names or wanted in text, f"{names} {text!r} after {took:.1f} s")
        check("each name once, and nothing that does not fit", len(names) == len(set(names)) and unwanted not in names and not any(n.startswith(("Test", "Benchmark", "Example")) for n in names), str(names))
        if beside:
            check("an option's comment stands beside it", beside in text, repr(text))
        pg.keyboard.press("Escape")
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


def said_by(pg, source):
    """Run a cell that fails, and return all that is shown for it."""
    cell = new_cell(pg, source)
    pg.keyboard.press("Control+Enter")
    cell.locator("[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']").first.wait_for(timeout=30_000)
    pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
    pg.wait_for_timeout(300)
    said = cell.locator(".jp-OutputArea").inner_text()
    links = cell.locator(".jp-OutputArea a").count()
    remove(pg)
    return said, links


def mistake(pg):
    for source, says, line in (
        ("%%\nx := 1\nfmt.Println(y)", "undefined: y", "3"),
        ('%%\nvar a []int\nfmt.Println("before")\n_ = a[7]', "index out of range [7]", "4"),
        ('%%\nfmt.Printn("hi")', "undefined: fmt.Printn (did you mean fmt.Println?)", "2"),
        ("%%\n\nfmt.Println(cluster.Kmeans{})", "undefined: cluster.Kmeans (did you mean cluster.KMeans?)", "3"),
        ('fmt.Println("hi")', "add %% at the top", "1"),
        ("%%\nnb.Must(cluster.KMeans{K: 200}.Fit(nb.Context(), datasets.Iris().X))", "K = 200", "2"),
        ('%%\nnb.Check("two is three", 2 == 3)', "✗ two is three", "2"),
    ):
        said, links = said_by(pg, source)
        check(f"a mistake is named with its line: {says}", says in said and re.search(rf"[Ll]ine:? {line}\b", said), said[:2000])
        rest = said.replace("before\n", "").strip()
        check("and nothing else is said", len(rest.splitlines()) == 1 and not links and not re.search("gonb_|/tmp/|main.go|exit status", said), said[:2000])


def without_end(pg):
    """A loop that prints for ever: the page answers, memory stays flat, and the cell can be interrupted."""
    cell = new_cell(pg, "%%\nfor i := 0; ; i++ {\nfmt.Println(i)\n}")
    before = memory()
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text="has reached 1 MiB").wait_for(timeout=60_000)
    pg.wait_for_timeout(5000)
    grown = memory() - before
    check("a loop that prints without end leaves the kernel's memory flat", grown < 100, f"{grown:.0f} MB more")
    begun = time.monotonic()
    pg.click("text=Kernel >> nth=0", timeout=5000)
    pg.click("text=/^Interrupt Kernel/", timeout=5000)
    pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=10_000)
    cell.locator(".jp-OutputArea-output", has_text="bytes of output were not shown").wait_for(timeout=10_000)
    check("and can be interrupted, with a count of what was not shown", time.monotonic() - begun < 10, f"{time.monotonic() - begun:.1f} s")
    remove(pg)


def memory():
    """MB that the processes of this clone's kernels take, on Linux."""
    total = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            if str(lab.ROOT / ".venv/latent") in (status.parent / "cmdline").read_text().split("\0")[0]:
                if m := re.search(r"VmRSS:\s+(\d+)", status.read_text()):
                    total += int(m[1]) / 1024
        except OSError:
            pass
    return total


def interrupt(pg):
    cell = new_cell(pg, '%%\nfmt.Println("begun")\n<-nb.Context().Done()\nfmt.Println("stopped")\ntime.Sleep(50 * time.Millisecond)')
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text="begun").wait_for(timeout=60_000)  # before, the compiler would be interrupted
    pg.click("text=Kernel >> nth=0")
    pg.click("text=/^Interrupt Kernel/")
    pg.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
    pg.wait_for_timeout(500)
    said = cell.locator(".jp-OutputArea").inner_text()
    check("an interrupted cell says nothing of exit status", "exit status" not in said, said)
    check("an interrupted cell ends by its context", "stopped" in cell.locator(".jp-OutputArea").inner_text(), cell.locator(".jp-OutputArea").inner_text())
    cell = new_cell(pg, '%%\nfmt.Println("the kernel", 40+2)')
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output").first.wait_for(timeout=60_000)
    check("and the kernel lives on", "the kernel 42" in cell.locator(".jp-OutputArea").inner_text())


def best(pg):
    cell = new_cell(pg, '%%\nfmt.Println("begun")\nm := nb.Best(cluster.KMeans{K: 10, Restarts: 1 << 40}.Fit(nb.Context(), datasets.Digits().X))\nfmt.Println(len(m.Labels), "labels")')
    pg.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text="begun").wait_for(timeout=60_000)
    pg.wait_for_timeout(2000)
    pg.click("text=Kernel >> nth=0")
    pg.click("text=/^Interrupt Kernel/")
    cell.locator(".jp-OutputArea-output", has_text="1797 labels").wait_for(timeout=10_000)
    said = cell.locator(".jp-OutputArea").inner_text()
    check("an interrupted Fit gives the model so far", "the best so far" in said, said)
    remove(pg)


def main():
    if not lab.chromium():
        print("no Chromium or Chrome found: JupyterLab was not driven in a browser. On Debian or Ubuntu: apt install chromium")
        sys.exit(1 if os.environ.get("CI") else 0)
    notebooks = {
        "00-start-here": [opened, completion, lambda pg: everything(pg, "00-start-here", 4), lambda pg: slider(pg, 0), help_text, live_knob, mistake, interrupt, best, without_end],
        "03-partitional-clustering": [lambda pg: everything(pg, "03-partitional-clustering", 15), lambda pg: slider(pg, 1)],
    }
    # A copy, so that nothing a test does is saved into the repository's notebooks.
    with tempfile.TemporaryDirectory(prefix="latent-browser-") as tmp, lab.server(tmp, lab.PLAIN) as (url, token):
        for path in (lab.ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(path, tmp)
        for name, steps in notebooks.items():
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
