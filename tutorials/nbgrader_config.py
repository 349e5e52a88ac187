# What nbgrader has to know about assignments in Go. A course's own nbgrader_config.py loads this file; `make course` writes one.
import pathlib
import sys
import warnings

from sqlalchemy.exc import SAWarning

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
c = get_config()  # noqa: F821, nbgrader provides it

warnings.simplefilter("ignore", SAWarning)  # nbgrader 0.9.6 on SQLAlchemy 2.1: pages of them, and the gradebook is right

# What students find in place of a solution. The grader knows these words.
c.ClearSolutions.code_stub = {"go": 'panic("not written yet")'}
c.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"

# No cell of a submission is executed. gotests runs the hidden tests on the answers, shut in, and writes what came of it under the cells of tests.
c.Autograde.autograde_preprocessors = [
    "gotests.GoTests",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# A cell of tests that a student deleted comes back, with its points at stake.
c.OverwriteCells.add_missing_cells = True
# Feedback says on which call a test failed, and does not show the hidden tests.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
