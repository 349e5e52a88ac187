"""Make a course folder for nbgrader: the assignments, the settings, and two commands.

    python course.py FOLDER

An existing folder keeps what is in it; only what is missing is added.
"""
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

CONFIG = '''# Settings of this course: https://nbgrader.readthedocs.io/en/stable/configuration/config_options.html
c = get_config()
load_subconfig({shared!r})

c.CourseDirectory.course_id = {name!r}
# c.GoTests.seconds = 5     # time limit of one test
# c.GoTests.memory = 512    # memory limit in MB
'''

COMMAND = '''#!/bin/sh
# {about}
cd "$(dirname "$0")" || exit 1
latent={root}
export PATH="$latent/.venv-grade/bin:$PATH" JUPYTER_PATH="$latent/.venv/share/jupyter" GOEXPERIMENT=simd GOFLAGS=
unset PYTHONPATH
exec {what} "$@"
'''


def shell(text):
    return "'" + str(text).replace("'", "'\\''") + "'"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make course COURSE=folder")
    course = pathlib.Path(sys.argv[1]).resolve()
    if course == ROOT or ROOT in course.parents and ".cache" not in course.parts:
        sys.exit("course: put the folder outside the clone: it will hold names and grades")
    course.mkdir(parents=True, exist_ok=True)
    config = course / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CONFIG.format(shared=str(HERE / "nbgrader_config.py"), name=course.name))
    for name, about, what in [
        ("nbgrader", "nbgrader, on this course: ./nbgrader generate_assignment 01-kmeans", '"$latent/.venv-grade/bin/nbgrader"'),
        ("formgrader", "The pages on which text is graded by hand and comments are written; in JupyterLab's menu: Nbgrader, Formgrader",
         '"$latent/.venv-grade/bin/jupyter-lab" $([ "$(id -u)" = 0 ] && echo --allow-root)'),
    ]:
        command = course / name
        if not command.exists():
            command.write_text(COMMAND.format(about=about, root=shell(ROOT), what=what))
            command.chmod(0o755)
    for source in sorted(HERE.glob("[0-9][0-9]-*")):
        if not (course / "source" / source.name).exists():
            shutil.copytree(source, course / "source" / source.name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    print(f"The course is in {course}. Next: cd {course} && ./nbgrader generate_assignment 01-kmeans")


main()
