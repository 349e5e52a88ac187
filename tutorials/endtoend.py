"""nbgrader from release to gradebook, as a teacher uses it, on submissions that testdata describes.

    python endtoend.py [folder]

A course is made in the folder (default: a temporary one) by course.py, and its own ./nbgrader command generates, autogrades, writes feedback and exports.
Any difference from what testdata says fails the run.
"""
import csv
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbgrader.api import Gradebook

HERE = pathlib.Path(__file__).resolve().parent
# tutorials_test.go grades all that testdata describes; these go through nbgrader as well.
STUDENTS = {
    "01-kmeans": ["solution", "prints", "untouched", "plausible-empty-cluster", "hard-coded", "exit-in-init", "exit-in-functions", "endless-loop",
                  "reads-hidden-tests", "asks-the-network", "memory-hog", "panics", "does-not-compile", "other-signature", "forged-pass"],
    "02-em": ["solution", "untouched", "plausible-unbiased"],
    "03-pca": ["solution", "untouched", "plausible-population", "plausible-zero"],
    "04-sparse-coding": ["solution", "untouched", "plausible-not-orthogonal", "plausible-in-place"],
}
TEXTS = {"02-em": "derivation", "03-pca": "signs"}  # what a person grades
BY_HAND = 3  # points that they give for it in the solution
problems = []


def hold(what, holds):
    if not holds:
        problems.append(what)
        print("✗", what, flush=True)


def nbgrader(course, *args):
    begun = time.monotonic()
    done = subprocess.run([course / "nbgrader", *args], capture_output=True, text=True)
    print(f"./nbgrader {' '.join(args)}: {time.monotonic() - begun:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}nbgrader {args} failed")
    return done.stdout + done.stderr


def described(path):
    """What grading must come to, and the cells, as tutorials_test.go reads them."""
    head, *parts = ("\n" + path.read_text()).split("\n-- ")
    case = {"score": 0.0, "fails": [], "released": False, "trespass": False, "cells": {}, "name": path.stem}
    for line in head.strip().split("\n")[1:]:
        key, _, value = line.partition(" ")
        if key == "score":
            case["score"] = float(value)
        elif key == "fails":
            case["fails"].append(tuple(value.split(": ", 1)))
        elif line == "from release":
            case["released"] = True
        elif line == "trespass":
            case["trespass"] = True
    for part in parts:
        name, _, source = part.partition(" --\n")
        if name.endswith(": deleted --") or name.endswith(": deleted"):
            case["cells"][name.split(":")[0]] = None
        else:
            case["cells"][name] = source
    return case


def role(cell):
    return cell.metadata.get("nbgrader", {})


def submit(case, release, solution):
    """The students' notebook, filled in."""
    nb = nbformat.read(release, 4)
    answers = {role(c).grade_id: c.source for c in nbformat.read(solution, 4).cells if role(c).get("solution")}
    if case["released"]:
        answers = {}
    answers.update(case["cells"])
    cells = []
    for cell in nb.cells:
        source = answers.get(role(cell).get("grade_id"), cell.source)
        if source is None:
            continue
        cell.source = source
        if case["name"] == "forged-pass" and role(cell).get("grade"):  # what students see of the tests, and their outputs, are theirs to change
            cell.source = "func TestNothing(t *testing.T) {}"
            cell.metadata.nbgrader["points"] = 100
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="--- PASS")] if cell.cell_type == "code" else []
        cells.append(cell)
    if case["name"] == "hard-coded":  # a cell of tests that is deleted comes back
        cells = [c for i, c in enumerate(cells) if not role(c).get("grade") or i % 2]
    nb.cells = cells
    return nb


def check_release(assignment, notebook, release, source):
    """The students' version has no solution and no hidden test, and all else."""
    text, teachers = release.read_text(), nbformat.read(source, 4)
    for word in ["BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "Model answer"]:
        hold(f"{assignment}: the release has no {word!r}", word not in text)
    released = {role(c).get("grade_id"): c for c in nbformat.read(release, 4).cells}
    hold(f"{assignment}: as many cells", len(nbformat.read(release, 4).cells) == len(teachers.cells))
    for cell in teachers.cells:
        name, r = role(cell).get("grade_id"), role(cell)
        if not name or cell.cell_type != "code":
            continue
        given = released[name].source
        hidden = re.findall(r"(?ms)^\s*// BEGIN HIDDEN TESTS\n(.*?)^\s*// END HIDDEN TESTS", cell.source)
        for line in "".join(hidden).split("\n"):
            shown = re.sub(r"(?ms)^\s*// BEGIN HIDDEN TESTS\n(.*?)^\s*// END HIDDEN TESTS", "", cell.source)
            if len(line.strip()) > 20 and line not in shown:
                hold(f"{assignment}, {name}: a hidden line is in the release: {line}", line not in text)
        if r["solution"]:
            hold(f"{assignment}, {name}: a stub", 'panic("not written yet")' in given and "func " in given)
        if r["grade"]:
            hold(f"{assignment}, {name}: a visible check", "func Test" in given and "defer check.Explain(t)" in given)


def execute(release, solution):
    """The students' version on the Go kernel: with the answers filled in every cell runs and every visible check passes; untouched, every check says what is missing."""
    for case in [{"name": "solution", "released": False, "cells": {}}, {"name": "untouched", "released": True, "cells": {}}]:
        nb = submit(case, release, solution)
        NotebookClient(nb, timeout=300, startup_timeout=120, allow_errors=True, kernel_name="gonb", resources={"metadata": {"path": str(release.parent)}}).execute()
        for cell in nb.cells:
            if cell.cell_type != "code":
                continue
            said = "".join(o.get("text", "") for o in cell.outputs)
            failed = any(o.output_type == "error" for o in cell.outputs)
            name = role(cell).get("grade_id", cell.source[:40])
            if not case["released"]:
                hold(f"{release.stem}, {name}: on the kernel, with the answers: {said}", not failed and (not role(cell).get("grade") or "--- PASS: Test" in said))
            elif role(cell).get("grade"):
                hold(f"{release.stem}, {name}: on the kernel, untouched: {said}", failed and " is not written yet" in said and "goroutine" not in said)


def main():
    if len(sys.argv) > 1:
        run(pathlib.Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(pathlib.Path(folder) / "course")
    if problems:
        sys.exit(f"{len(problems)} problems")
    print("nbgrader's scores, feedback and gradebook are as they should be")


def run(course):
    subprocess.run([sys.executable, HERE / "course.py", course], check=True)
    expected = {}
    for source in sorted(course.glob("source/*/*.ipynb")):
        assignment = source.parent.name
        nbgrader(course, "generate_assignment", assignment)
        release = course / "release" / assignment / source.name
        check_release(assignment, source.stem, release, source)
        execute(release, source)
        for name in STUDENTS[assignment]:
            case = described(HERE / "testdata" / assignment / f"{name}.txt")
            target = course / "submitted" / case["name"] / assignment / source.name
            target.parent.mkdir(parents=True)
            nbformat.write(submit(case, release, source), target)
            expected[assignment, case["name"]] = case
        log = nbgrader(course, "autograde", assignment)
        hold(f"{assignment}: no submission broke the grader\n{log}", "Traceback" not in log and "failed" not in log)
        if assignment in TEXTS:
            with Gradebook(f"sqlite:///{course}/gradebook.db") as book:  # what the page of formgrader does
                grade = book.find_grade(TEXTS[assignment], source.stem, assignment, "solution")
                hold(f"{assignment}: the text has no points yet", grade.score == 0 and grade.needs_manual_grade)
                grade.manual_score, grade.needs_manual_grade = BY_HAND, False
                book.db.commit()
            expected[assignment, "solution"]["score"] += BY_HAND
        nbgrader(course, "generate_feedback", assignment)
    nbgrader(course, "export")
    with open(course / "grades.csv") as f:
        exported = {(row["assignment"], row["student_id"]): float(row["score"]) for row in csv.DictReader(f)}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        for (assignment, student), case in expected.items():
            compare(course, book, exported, assignment, student, case)


def compare(course, book, exported, assignment, student, case):
    who = f"{assignment}, {student}"
    submission = book.find_submission(assignment, student)
    hold(f"{who}: {submission.score} points in the gradebook, want {case['score']}", submission.score == case["score"])
    hold(f"{who}: {exported.get((assignment, student))} points exported, want {case['score']}", exported.get((assignment, student)) == case["score"])
    # Only a text that was written waits for a person, until it has points.
    text = assignment in TEXTS and not case["released"] and case["name"] != "solution"
    hold(f"{who}: waits to be graded by hand: {submission.needs_manual_grade}", submission.needs_manual_grade == text)
    notebook = next(iter((course / "autograded" / student / assignment).glob("*.ipynb")))
    shown = {}
    for cell in nbformat.read(notebook, 4).cells:
        if role(cell).get("grade") and cell.cell_type == "code":
            hold(f"{who}: nothing goes to stderr", all(o.get("name") != "stderr" for o in cell.outputs))
            shown["".join(re.findall(r"func (Test\w+)", cell.source)[:1])] = cell.outputs
        elif cell.cell_type == "code":
            hold(f"{who}: no cell of a submission is executed", not cell.outputs)
    feedback = next(iter((course / "feedback" / student / assignment).glob("*.html"))).read_text()
    hold(f"{who}: no hidden test is in the feedback", "HIDDEN TESTS" not in feedback and "wantAssign" not in feedback)
    for test, message in case["fails"]:
        said = "\n".join("\n".join(o.get("traceback", [])) for o in shown.get(test, []))
        hold(f"{who}: {test} says {message!r}, got {said!r}", message in said)
        hold(f"{who}: {test} is in the feedback", f"{test} failed" in feedback)


main()
