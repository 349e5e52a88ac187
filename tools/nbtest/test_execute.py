"""A notebook that says something false is caught, whatever it has recorded of itself."""
import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import types
import unittest

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

import digest
import execute

KERNEL = {"kernelspec": {"name": "gonb", "display_name": "Go", "language": "go"}}


def book(name, seconds, stale=False, neural=False):
    return types.SimpleNamespace(path=pathlib.Path(name), seconds=seconds, stale=stale, neural=neural)


class Execute(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.module = digest.Module(execute.ROOT)

    def run_quietly(self, path, check):
        run = execute.Run(check, False, 1)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            run.all([execute.Book(path, self.module)])
            run.report()
        run.fresh.cleanup()
        return run, out.getvalue()

    def test_a_forged_digest_is_caught_by_the_sample(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "07-forged.ipynb")
            nb = new_notebook(metadata=KERNEL, cells=[new_code_cell('%%\nfmt.Println("the answer:", 6*7)'), new_code_cell('%%\nnb.Check("six is even", 6%2 == 0)')])
            nbformat.write(nb, path)
            self.assertTrue(execute.Book(path, self.module).stale, "it was never executed")
            run, _ = self.run_quietly(path, check=False)
            self.assertFalse(run.failed)
            fresh = execute.Book(path, self.module)
            self.assertFalse(fresh.stale)
            self.assertTrue(0.3 < fresh.seconds < 60, "building two cells takes the processors half a second at least")
            self.assertFalse(self.run_quietly(path, check=True)[0].failed)

            forged = nbformat.read(path, as_version=4)
            self.assertEqual(forged.cells[0].outputs[0].text, "the answer: 42\n")
            forged.cells[0].outputs[0].text = "the answer: 43\n"
            nbformat.write(forged, path)
            b = execute.Book(path, self.module)
            self.assertFalse(b.stale, "the digest says that nothing has changed")
            self.assertEqual(execute.sample([b], "some commit", "none"), [b])
            run, out = self.run_quietly(path, check=True)
            self.assertEqual(len(run.failed), 1)
            self.assertIn("42 is not within 0 of 43", out)

            forged.cells[0].source = '%%\nfmt.Println("the answer:", 6*7+1)'
            nbformat.write(forged, path)
            self.assertTrue(execute.Book(path, self.module).stale, "a cell was edited")

    def test_a_failing_cell_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "07-false.ipynb")
            nbformat.write(new_notebook(metadata=KERNEL, cells=[new_code_cell('%%\nnb.Check("two is three", 2 == 3)')]), path)
            before = path.read_bytes()
            run, out = self.run_quietly(path, check=False)
            self.assertEqual(len(run.failed), 1)
            self.assertIn("✗ two is three", out)
            self.assertEqual(path.read_bytes(), before)

    def test_a_tolerance_that_is_not_understood(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "07-vague.ipynb")
            nbformat.write(new_notebook(metadata=KERNEL, cells=[new_code_cell("%%\n// tolerance: some\n_ = 1")]), path)
            run, out = self.run_quietly(path, check=False)
            self.assertEqual(len(run.failed), 1)
            self.assertIn("cell 1: “// tolerance: some” is not understood", out)

    def test_what_is_stale_and_had_no_time_is_not_passed(self):
        run = execute.Run(True, False, 1, limit=-1)
        stale = book("x.ipynb", 1)
        run.all([stale])
        run.fresh.cleanup()
        self.assertEqual((run.unmet, run.rows), ([stale], []))

    @unittest.skipUnless(pathlib.Path("/proc/self/task").exists(), "there is no /proc here")
    def test_work_counts_what_runs_below(self):
        busy = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ntime.sleep(60)"
        with subprocess.Popen(["sh", "-c", '"$0" -c "$1"; true', sys.executable, busy], stdout=subprocess.PIPE, start_new_session=True) as shell:
            shell.stdout.readline()
            worked = execute.work(shell.pid)
            os.killpg(shell.pid, signal.SIGKILL)
        self.assertGreaterEqual(worked, 0.4)

    def test_the_sample(self):
        books = [book(f"{i:02}.ipynb", 20 + i, stale=i % 5 == 0, neural=i > 30) for i in range(51)]
        seen, plays = set(), set()
        for c in range(200):
            head, play = f"commit {c}", execute.played(f"commit {c}")
            chosen = execute.sample(books, head, play)
            self.assertEqual(chosen, execute.sample(books[::-1], head, play), "the order of files decides nothing")
            self.assertTrue(chosen)
            self.assertFalse(any(b.stale for b in chosen))
            _, times, neural = execute.PLAYS[play]
            self.assertLessEqual(sum(b.seconds * times for b in chosen), execute.SAMPLE_SECONDS)
            self.assertTrue(all(b.neural for b in chosen) if neural else True)
            seen.update(b.path.name for b in chosen)
            plays.add(play)
        self.assertEqual(plays, set(execute.PLAYS))
        self.assertEqual(seen, {b.path.name for b in books if not b.stale})
        huge = book("huge.ipynb", 10 * execute.SAMPLE_SECONDS)
        self.assertEqual(execute.sample([huge], "some commit", "none"), [huge])


if __name__ == "__main__":
    unittest.main()
