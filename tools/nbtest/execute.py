"""Execute notebooks from a clean kernel.

    python execute.py [--check] [--cached] [--jobs N] [NAME ...]

Without --check the outputs are written into the notebooks (each replaced in one step, and only when all its cells succeeded).
With --check nothing is written: a cell that fails, or whose text differs from the committed text, fails the run.
What nb.Once and nb.Memo keep on disk goes to a folder of the run's own, so that every number is computed now; --cached uses the kept one.
NAME is a path or the beginning of a file's name: 03 picks notebooks/03-*.ipynb. Default: all of notebooks/.
"""
import argparse
import concurrent.futures
import difflib
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

import nbformat
import nbformat.sign
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = pathlib.Path(__file__).resolve().parents[2]
CELL_SECONDS = 600
stopping = threading.Event()
lock = threading.Lock()
showing = {}  # notebook -> what it is doing, for the line of progress


def say(text=""):
    with lock:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        print(text, flush=True)


def progress(name=None, what=None):
    """One line on the terminal: every notebook that runs, and its cell."""
    with lock:
        if name:
            showing[name] = what
            if what is None:
                del showing[name]
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + "   ".join(f"{k} {v}" for k, v in sorted(showing.items())))
            sys.stderr.flush()


def text_of(cell):
    """What a cell says in words: its streams, then the text/plain of what it shows. The two reach the kernel by pipes of their own, so that which of them
    comes first is chance; within each the order is the cell's."""
    streams, shown = {}, []
    for o in cell.get("outputs", []):
        if o.output_type == "stream":
            streams[o.name] = streams.get(o.name, "") + o.text
        elif o.output_type in ("display_data", "execute_result"):
            shown.append("[shown] " + o.data.get("text/plain", ", ".join(sorted(o.data))))
        elif o.output_type == "error":
            shown.append(f"[error] {o.evalue}")
    out = [f"[{name}] {streams[name]}" for name in sorted(streams)] + shown
    return "".join(s if s.endswith("\n") else s + "\n" for s in out)


class Client(NotebookClient):
    """nbclient, telling where it is, and stopping between cells when the run is interrupted."""

    label = ""

    async def async_execute_cell(self, cell, cell_index, **kw):
        if stopping.is_set():
            raise KeyboardInterrupt
        if cell.cell_type == "code":
            progress(self.label, f"cell {cell_index + 1}/{len(self.nb.cells)}")
        return await super().async_execute_cell(cell, cell_index, **kw)


def execute(path):
    """Run one notebook; returns (executed notebook, seconds, error or None)."""
    nb = nbformat.read(path, as_version=4)
    name = path.stem
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
    client = Client(nb, timeout=CELL_SECONDS, startup_timeout=120, record_timing=False, allow_errors=False,
                    resources={"metadata": {"path": str(path.parent)}}, kernel_name=nb.metadata.kernelspec.name)
    client.label = name
    begun, error = time.monotonic(), None
    progress(name, "starts")
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as e:
        error = f"{path.relative_to(ROOT)}: {failure(nb, e)}"
    except KeyboardInterrupt:
        error = f"{path.relative_to(ROOT)}: interrupted"
    except Exception as e:  # a kernel that does not start, a notebook without kernelspec
        error = f"{path.relative_to(ROOT)}: {type(e).__name__}: {e}"
    finally:
        progress(name, None)
    nb.metadata.pop("widgets", None)
    return nb, time.monotonic() - begun, error


def failure(nb, e):
    """Which cell failed, its source's first lines, and the last lines it printed."""
    for i, cell in enumerate(nb.cells):
        if any(o.output_type == "error" for o in cell.get("outputs", [])):
            head = "\n".join("    | " + s for s in cell.source.splitlines()[:6])
            tail = "\n".join("    > " + s for s in text_of(cell).splitlines()[-30:])
            return f"cell {i + 1} failed\n{head}\n{tail}"
    return f"{type(e).__name__}: {str(e)[-2000:]}"


def differences(committed, executed):
    """Cells whose text is not what is committed."""
    out = []
    for i, (a, b) in enumerate(zip(committed.cells, executed.cells)):
        if a.cell_type == "code" and (ta := text_of(a)) != (tb := text_of(b)):
            diff = list(difflib.unified_diff(ta.splitlines(), tb.splitlines(), "committed", "now", lineterm="", n=1))
            out.append(f"cell {i + 1} prints something else than what is committed\n" + "\n".join("    " + s for s in diff[:40]))
    return out


def write(path, nb):
    fd, tmp = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=".ipynb")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            nbformat.write(nb, f)
        os.chmod(tmp, path.stat().st_mode & 0o777)
        os.replace(tmp, path)
        with nbformat.sign.NotebookNotary() as notary:  # JupyterLab shows no figure of a notebook that it doesn't trust
            notary.sign(nb)
    except BaseException:
        os.unlink(tmp)
        raise


def pick(names):
    every = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if not names:
        return every
    chosen = []
    for name in names:
        found = [pathlib.Path(name).resolve()] if name.endswith(".ipynb") else [p for p in every if p.name.startswith(name)]
        if not found or not found[0].exists():
            sys.exit(f"execute: no notebook begins with {name!r}; there are: {', '.join(p.stem for p in every)}")
        chosen += found
    return chosen


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--check", action="store_true", help="compare with the committed outputs, write nothing")
    ap.add_argument("--cached", action="store_true", help="let nb.Once and nb.Memo use what earlier runs kept")
    ap.add_argument("--jobs", type=int, default=2, help="notebooks at a time (2)")
    ap.add_argument("names", nargs="*")
    a = ap.parse_args()
    paths = pick(a.names)
    os.environ["LATENT_BATCH"] = "1"  # nobody is there to turn a live knob
    fresh = tempfile.TemporaryDirectory(prefix="latent-cache-", ignore_cleanup_errors=True)
    if not a.cached:
        os.environ["LATENT_CACHE"] = fresh.name
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows, failed = [], []

    def one(path):
        committed = nbformat.read(path, as_version=4)
        nb, seconds, error = execute(path)
        problems = [error] if error else []
        if not error and a.check:
            problems = [f"{path.relative_to(ROOT)}: {d}" for d in differences(committed, nb)]
        if not error and not a.check:
            write(path, nb)
        cells = sum(c.cell_type == "code" for c in nb.cells)
        rows.append((path.stem, cells, seconds, "failed" if problems else "ok"))
        failed.extend(problems)
        say(f"{'FAIL' if problems else 'ok  '} {path.stem}  {seconds:.1f} s")

    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        try:
            for f in concurrent.futures.as_completed([pool.submit(one, p) for p in paths]):
                f.result()
        except KeyboardInterrupt:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            say("interrupted")
            fresh.cleanup()
            os._exit(130)
    print(f"\n{'notebook':<36} {'cells':>5} {'seconds':>8}")
    for name, cells, seconds, verdict in sorted(rows):
        print(f"{name:<36} {cells:>5} {seconds:>8.1f}  {verdict}")
    for problem in failed:
        print("\n" + problem)
    print(f"\n{len(rows) - sum(r[3] == 'failed' for r in rows)} passed, {sum(r[3] == 'failed' for r in rows)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
