"""Jupyter's own conformance suite (jupyter-kernel-test) against the Go kernel as installed.

What gonb itself does not do is listed with the reason in EXPECTED; a test there that begins to pass is an error too, so that the list
stays true.
"""
import sys
import unittest

import jupyter_kernel_test

# Tests that gonb 0.11.5 fails, and why.
EXPECTED = {
    "test_error": "a panic's stack trace goes to stderr in several messages before the one error that the suite wants alone",
}


class GoKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "gonb"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = '%%\nfmt.Println("hello, world")'
    code_stderr = '%%\nfmt.Fprintln(os.Stderr, "oops")'
    code_generate_error = '%%\npanic("on purpose")'
    completion_samples = [{"text": "import \"strings\"\n%%\nstrings.Has", "matches": {"HasPrefix", "HasSuffix"}}]
    code_inspect_sample = "strings.HasPrefix"
    code_display_data = [
        {"code": '%%\ngonbui.DisplayHTML("<b>x</b>")', "mime": "text/html"},
    ]


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(GoKernel)
    names = {t._testMethodName for t in suite}  # the suite forgets its tests as it runs them
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    bad = [(t, trace) for t, trace in result.failures + result.errors if t._testMethodName not in EXPECTED]
    failed = {t._testMethodName for t, _ in result.failures + result.errors}
    ran = names - {t._testMethodName for t, _ in result.skipped}
    fixed = [name for name in EXPECTED if name in ran and name not in failed]
    for t, _ in bad:
        print(f"unexpected failure: {t._testMethodName}")
    for name in fixed:
        print(f"{name} passes now: take it off the list ({EXPECTED[name]})")
    if not result.testsRun or bad or fixed:
        sys.exit(1)
    print(f"the kernel passes Jupyter's suite: {result.testsRun - len(failed) - len(result.skipped)} passed, {len(failed)} failed as expected, {len(result.skipped)} not applicable")


if __name__ == "__main__":
    main()
