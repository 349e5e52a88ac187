"""Photograph a notebook in real JupyterLab, top to bottom, so that a person can look at what a reader sees.

    python shots.py NOTEBOOK OUTDIR [--dark] [--run]     writes OUTDIR/NAME-00.png, NAME-01.png, …

With --run the cells are executed first; without, the saved outputs are shown.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import lab


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("notebook", type=pathlib.Path)
    ap.add_argument("outdir", type=pathlib.Path)
    ap.add_argument("--dark", action="store_true", help="JupyterLab's dark theme")
    ap.add_argument("--run", action="store_true", help="run all cells first")
    a = ap.parse_args()
    if not lab.chromium():
        sys.exit("shots: no Chromium or Chrome found on PATH")
    a.outdir.mkdir(parents=True, exist_ok=True)
    settings = lab.PLAIN | (lab.DARK if a.dark else {})
    folder = a.notebook.resolve().parent
    with lab.server(folder, settings) as (url, token), lab.page(url, token, a.notebook.name, dark=a.dark) as pg:
        if a.run:
            lab.run_all(pg)
        pg.keyboard.press("Control+b")  # the file browser makes room
        pg.wait_for_timeout(800)
        box = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
        height, view = pg.eval_on_selector(box, "e => [e.scrollHeight, e.clientHeight]")
        top, i = 0, 0
        while True:
            pg.eval_on_selector(box, "(e, y) => e.scrollTop = y", top)
            pg.wait_for_timeout(400)
            path = a.outdir / f"{a.notebook.stem}{'-dark' if a.dark else ''}-{i:02d}.png"
            pg.locator(box).screenshot(path=path)
            print(path)
            top, i = top + view - 60, i + 1
            if top >= height - 60:
                break


if __name__ == "__main__":
    main()
