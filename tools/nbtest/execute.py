"""Execute notebooks from a clean kernel.

    python execute.py [--check] [--all] [--as PLAY] [--cached] [--jobs N] [NAME ...]

Without --check the outputs are written into the notebooks (each replaced in one step, and only when
all its cells succeeded), with the digest of what they depend on (digest.py) and the seconds that it
took. With --check nothing is written: a cell that fails, or that says something else than what is
committed (compare.py), fails the run.

NAME is a path or the beginning of a file's name: 03 picks notebooks/03-*.ipynb. --all is every
notebook. Without either, those that are stale are executed: those whose recorded digest is not
today's. With --check a sample of the others is executed too, as long as SAMPLE_SECONDS allow:
which, the commit decides, and also which other processor is played for them, so that what is
committed is looked at again and again, and on all that a reader may have. --as PLAY plays one by
hand; the plays are in PLAYS. What is stale is not left unchecked: where --check has no time for it
within LIMIT_SECONDS, that is a failure.

What nb.Once and nb.Memo keep on disk goes to a folder of the run's own, so that every number is
computed now; --cached uses the kept one, and records no digest.
"""
import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import nbformat
import nbformat.sign
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

import digest
from compare import Tolerance, differences, text_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CELL_SECONDS = 600
SAMPLE_SECONDS = 300  # of the seconds that notebooks have recorded
LIMIT_SECONDS = 15 * 60  # after which --check starts no other notebook
BUDGET_SECONDS = {False: 30, True: 90}  # of a classical and of a neural notebook, alone on two cores

# Other processors, played on this one: (what is set, how many times as long it may take, whether it is of neural notebooks alone).
PLAYS = {
    "none": ({}, 1, False),
    "plain": ({"LATENT_BLAS": "plain"}, 2, False),  # this library's matrix products without assembly, as on ARM
    "avx2": ({"LATENT_BLAS": "avx2"}, 1, False),
    "one": ({"GOMAXPROCS": "1"}, 2, False),
    "xla-avx2": ({"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}, 1, True),
    "xla-sse4": ({"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}, 2, True),
}
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


def work(pid):
    """Seconds of processors that a process, those it has waited for, and those below it that still
    run have taken: the kernel stands behind another process. What gopls reads is no part of a notebook."""
    name, _, stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    if name.endswith("(gopls"):
        return 0
    own = sum(map(int, stat.split()[11:15])) / os.sysconf("SC_CLK_TCK")
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            try:
                own += work(child)
            except OSError:
                pass  # it has ended; who waits for it has its time
    return own


class Client(NotebookClient):
    """nbclient, telling where it is, and stopping between cells when the run is interrupted."""

    label = ""
    worked = None  # seconds of processors that the kernel, and what it built and ran, have taken

    async def async_execute_cell(self, cell, cell_index, **kw):
        if stopping.is_set():
            raise KeyboardInterrupt
        if cell.cell_type == "code":
            progress(self.label, f"cell {cell_index + 1}/{len(self.nb.cells)}")
        done = await super().async_execute_cell(cell, cell_index, **kw)
        try:
            self.worked = work(self.km.provisioner.pid)
        except (OSError, AttributeError):
            pass  # no /proc here
        return done


def execute(path):
    """Run one notebook; returns (executed notebook, seconds, error or None). The seconds are what a
    clock shows, or what its processes worked where that is less: beside others a notebook waits."""
    nb = nbformat.read(path, as_version=4)
    name = path.stem
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            try:
                Tolerance(cell.source)
            except ValueError as e:
                return nb, 0, f"{path.name}: cell {i + 1}: {e}"
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
        error = f"{path.name}: {failure(nb, e)}"
    except KeyboardInterrupt:
        error = f"{path.name}: interrupted"
    except Exception as e:  # a kernel that does not start, a notebook without kernelspec
        error = f"{path.name}: {type(e).__name__}: {e}"
    finally:
        progress(name, None)
    nb.metadata.pop("widgets", None)
    return nb, min(time.monotonic() - begun, client.worked or float("inf")), error


def failure(nb, e):
    """Which cell failed, its source's first lines, and the last lines it printed."""
    for i, cell in enumerate(nb.cells):
        if any(o.output_type == "error" for o in cell.get("outputs", [])):
            head = "\n".join("    | " + s for s in cell.source.splitlines()[:6])
            tail = "\n".join("    > " + s for s in text_of(cell).splitlines()[-30:])
            return f"cell {i + 1} failed\n{head}\n{tail}"
    return f"{type(e).__name__}: {str(e)[-2000:]}"


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


class Book:
    """A notebook, and what is known of it before it runs."""

    def __init__(self, path, module):
        self.path, self.committed = path, nbformat.read(path, as_version=4)
        cells = [c.source for c in self.committed.cells if c.cell_type == "code"]
        self.digest, self.neural = module.digest(cells, path.parent), module.neural(cells)
        recorded = self.committed.metadata.get("latent", {})
        self.stale, self.seconds = recorded.get("digest") != self.digest, recorded.get("seconds", BUDGET_SECONDS[self.neural])


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


def commit():
    out = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return out.stdout.strip() if out.returncode == 0 else "no commit"


def drawn(head, *what):
    """A number that the commit decides and nobody chooses."""
    return int.from_bytes(hashlib.sha256(" ".join((head, *what)).encode()).digest()[:8], "big")


def played(head):
    """The processor to play at a commit."""
    return sorted(PLAYS)[drawn(head, "processor") % len(PLAYS)]


def sample(books, head, play):
    """Of the notebooks that are not stale, those to execute at a commit: as many as the time allows, and one at least."""
    _, times, neural = PLAYS[play]
    left, chosen = SAMPLE_SECONDS, []
    for b in sorted((b for b in books if not b.stale and (b.neural or not neural)), key=lambda b: drawn(head, b.path.name)):
        if not chosen or b.seconds * times <= left:
            chosen.append(b)
            left -= b.seconds * times
    return chosen


class Run:
    """Notebooks executed side by side, with what came of it."""

    def __init__(self, check, cached, jobs, limit=None):
        self.check, self.cached, self.jobs = check, cached, jobs
        self.ends = time.monotonic() + limit if limit else float("inf")
        self.rows, self.failed, self.unmet = [], [], []
        self.fresh = tempfile.TemporaryDirectory(prefix="latent-cache-", ignore_cleanup_errors=True)

    def one(self, book):
        if time.monotonic() > self.ends:
            self.unmet.append(book)
            return
        nb, seconds, error = execute(book.path)
        problems = [error] if error else []
        if not error and self.check:
            problems = [f"{book.path.name}: {d}" for d in differences(book.committed, nb)]
        if not error and not self.check:
            nb.metadata.pop("latent", None)
            if not self.cached:
                nb.metadata["latent"] = {"digest": book.digest, "seconds": round(seconds, 1)}
            write(book.path, nb)
        cells = sum(c.cell_type == "code" for c in nb.cells)
        over = seconds > BUDGET_SECONDS[book.neural]
        self.rows.append((book.path.stem, cells, seconds, "failed" if problems else "ok", f"over its {BUDGET_SECONDS[book.neural]} s" if over else ""))
        self.failed.extend(problems)
        say(f"{'FAIL' if problems else 'ok  '} {book.path.stem}  {seconds:.1f} s")

    def all(self, books, play="none"):
        environment = dict(PLAYS[play][0], LATENT_BATCH="1")  # nobody is there to turn a live knob
        if not self.cached:
            environment["LATENT_CACHE"] = self.fresh.name + "/" + play
        before = dict(os.environ)
        os.environ.update(environment)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            try:
                for f in concurrent.futures.as_completed([pool.submit(self.one, b) for b in books]):
                    f.result()
            except KeyboardInterrupt:
                stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                say("interrupted")
                self.report()
                self.fresh.cleanup()
                os._exit(130)
        os.environ.clear()
        os.environ.update(before)

    def report(self):
        print(f"\n{'notebook':<36} {'cells':>5} {'seconds':>8}")
        for name, cells, seconds, verdict, over in sorted(self.rows):
            print(f"{name:<36} {cells:>5} {seconds:>8.1f}  {verdict}  {over}".rstrip())
        if any(r[4] for r in self.rows):
            print(f"\nThe time of a notebook is {BUDGET_SECONDS[False]} s, {BUDGET_SECONDS[True]} s with neural networks, alone on two cores")
        for problem in self.failed:
            print("\n" + problem)
        bad = sum(r[3] == "failed" for r in self.rows)
        print(f"\n{len(self.rows) - bad} passed, {bad} failed")


def numbers(books):
    return " ".join(sorted(b.path.name.split("-")[0] for b in books)) or "none"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--check", action="store_true", help="compare with the committed outputs, write nothing")
    ap.add_argument("--all", action="store_true", help="every notebook, stale or not")
    ap.add_argument("--as", dest="play", choices=sorted(PLAYS), help="play another processor (with --check)")
    ap.add_argument("--cached", action="store_true", help="let nb.Once and nb.Memo use what earlier runs kept")
    ap.add_argument("--jobs", type=int, default=2, help="notebooks at a time (2)")
    ap.add_argument("names", nargs="*")
    a = ap.parse_args()
    if a.play and not a.check:
        ap.error("--as plays another processor for a check; what is committed is made on this one as it is")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    module = digest.Module(ROOT)
    books = [Book(p, module) for p in pick(a.names)]
    if a.names or a.all:
        run = Run(a.check, a.cached, a.jobs)
        run.all(books, a.play or "none")
    else:
        stale = sorted((b for b in books if b.stale), key=lambda b: b.seconds)
        say(f"{len(books)} notebooks; stale: {numbers(stale)}")
        run = Run(a.check, a.cached, a.jobs, LIMIT_SECONDS if a.check else None)
        run.all(stale)
        run.failed += [f"{b.path.name}: it is stale, and there was no time to execute it here; do so by `make notebooks`, and commit what it writes" for b in run.unmet]
        if a.check:
            head = commit()
            play = a.play or played(head)
            chosen = sample(books, head, play)
            say(f"of the others, commit {head[:12]} chooses: {numbers(chosen)}, played as {play}" +
                (f"; by hand: make check-notebooks NB=\"{numbers(chosen)}\" AS={play}" if chosen else ""))
            run.unmet = []
            run.all(chosen, play)
            if run.unmet:
                say(f"there was no time for: {numbers(run.unmet)}")
            if stale and not run.failed:
                say(f"\nWhat is stale says what is committed. `make notebooks` records that, so that it need not be executed at each check: {numbers(stale)}")
    run.report()
    run.fresh.cleanup()
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
