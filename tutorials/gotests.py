"""nbgrader's step from a submission to points, for assignments in Go: the command tutorials/grade instead of a kernel."""
import json
import os
import pathlib
import subprocess
import tempfile

import nbformat
from nbformat.v4 import new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets import Integer

ROOT = pathlib.Path(__file__).resolve().parents[1]


class GoTests(NbGraderPreprocessor):
    """Runs the hidden tests of the teacher's notebook on the answers of the submission, and writes under each cell of tests that it passed, or why
    not. nbgrader takes the points from there: a cell that shows an error has none."""

    seconds = Integer(5, help="Time limit of one test.").tag(config=True)
    memory = Integer(512, help="Memory limit of the student's program in MB.").tag(config=True)

    def preprocess(self, nb, resources):
        course = CourseDirectory(config=self.config)
        source = course.format_path(course.source_directory, ".", resources["nbgrader"]["assignment"])
        teachers = pathlib.Path(source) / (resources["nbgrader"]["notebook"] + ".ipynb")
        grading = self.grade(teachers.resolve(), nb)
        if grading["missing"]:
            self.log.warning("The student's program was not shut in as it should be: %s", grading["missing"])
        if grading["trespass"]:
            self.log.warning("An answer tried to use a file, the network or another process: no points")
        results = {r["cell"]: r for r in grading["results"]}
        for cell in nb.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            if is_grade(cell) and not is_solution(cell):
                self.report(cell, results.get(cell.metadata.nbgrader["grade_id"]), grading["missing"])
        return nb, resources

    def grade(self, teachers, nb):
        with tempfile.TemporaryDirectory() as folder:
            submitted = pathlib.Path(folder) / "submitted.ipynb"
            nbformat.write(nb, submitted)
            command = ["go", "run", "./tutorials/grade", "-json", f"-seconds={self.seconds}", f"-memory={self.memory}", teachers, submitted]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "GOEXPERIMENT": "simd"})
        if done.returncode:
            raise RuntimeError("the grader failed, which is not the submission's fault:\n" + done.stderr)
        return json.loads(done.stdout)

    def report(self, cell, result, missing):
        if result is None:  # a cell that the teacher's notebook does not have any more
            cell.outputs.append(failure("no test", "The teacher's notebook has no such cell of tests. Generate the assignment anew."))
            return
        tests = ", ".join(result["tests"])
        if result["passed"]:
            cell.outputs.append(new_output("stream", name="stdout", text=f"{tests}: passed\n"))
        if result["printed"]:
            cell.outputs.append(new_output("stream", name="stdout", text="Your program printed:\n" + result["printed"] + "\n"))
        if missing:
            cell.outputs.append(new_output("stream", name="stdout", text=f"Graded without a fence: {missing}\n"))
        if not result["passed"]:
            cell.outputs.append(failure(tests + " failed", result["message"]))


def failure(what, why):
    return new_output("error", ename=what, evalue=why.split("\n")[0], traceback=[f"{what}:", *why.split("\n")])
