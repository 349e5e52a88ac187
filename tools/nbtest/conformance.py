"""Jupyter's own conformance suite (jupyter-kernel-test) against the Go kernel as installed, and what this project's readers count on beside it: help for its
packages, mistakes named with the cell's line, an interrupt that ends the cell and not the kernel.

What gonb itself does not do is listed with the reason in EXPECTED; a test there that begins to pass is an error too, so that the list
stays true.
"""
import sys
import time
import unittest

import jupyter_kernel_test

# Tests that the kernel fails, and why: none today.
EXPECTED = {}


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
        {"code": '%%\ngonbui.DisplayHTML("<b>x</b>")\ngonbui.Sync()', "mime": "text/html"},
    ]

    @classmethod
    def setUpClass(cls):
        """Wait for gopls, which reads the whole repository when a kernel starts: until then the kernel answers with an error."""
        super().setUpClass()
        for _ in range(120):
            if cls.kc.complete("%%\nfmt.Printl", reply=True, timeout=60)["content"]["matches"]:
                return
            time.sleep(0.5)


class Readers(GoKernel):
    """What readers count on; in a kernel of its own, since it makes mistakes and interrupts."""

    def said(self, source):
        """The reply of a cell, and all that it put out, in one text."""
        self.flush_channels()
        reply, messages = self.execute_helper(code=source, timeout=60)
        parts = []
        for m in messages:
            c = m["content"]
            parts += [c.get("text", ""), *(str(v) for v in c.get("data", {}).values()), c.get("evalue", ""), *c.get("traceback", [])]
        return reply["content"]["status"], "\n".join(parts)

    def test_a_mistake_is_named_with_its_line(self):
        for source, what, line in [
            ("%%\nx := 1\nfmt.Println(y)", "undefined: y", 3),
            ('%%\nvar a []int\nfmt.Println("before")\n_ = a[7]', "index out of range", 4),
            ("%%\n\nnb.Must(cluster.KMeans{K: 200}.Fit(nb.Context(), datasets.Iris().X))", "K = 200", 3),
            ('%%\nnb.Check("two is three", 2 == 3)', "✗ two is three", 2),
        ]:
            with self.subTest(what):
                status, said = self.said(source)
                self.assertEqual(status, "error")
                self.assertIn(what, said)
                self.assertRegex(said, rf"Cell ?\[\d+\]:? Line {line}\b")
                self.assertNotRegex(said, "gonb_|main.go|exit status")

    def test_help_for_the_library(self):
        self.flush_channels()
        code = "%%\nfmt.Println(nb.Numb"
        matches = []
        for _ in range(10):  # gopls may still be reading the repository
            reply = self.answer(self.kc.complete(code))["content"]
            if matches := reply.get("matches"):
                break
            time.sleep(1)
        self.assertIn("Number", " ".join(matches))
        code = "%%\nfmt.Println(nb.Number)"
        reply = self.answer(self.kc.inspect(code, len(code) - 2))["content"]
        self.assertIn("four significant digits", str(reply.get("data")))

    def answer(self, msg_id):
        while True:
            reply = self.kc.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply

    def test_an_interrupt_ends_the_cell(self):
        self.flush_channels()
        self.kc.execute('%%\nfmt.Println("begun")\n<-nb.Context().Done()\nfmt.Println("stopped")')
        said = ""
        while "begun" not in said:
            m = self.kc.get_iopub_msg(timeout=60)
            said += m["content"].get("text", "")
        begun = time.monotonic()
        self.km.interrupt_kernel()
        self.kc.get_shell_msg(timeout=20)
        self.assertLess(time.monotonic() - begun, 3)
        while "stopped" not in said:
            m = self.kc.get_iopub_msg(timeout=5)
            said += m["content"].get("text", "")
        self.assertEqual(self.said('%%\nfmt.Println("lives", 40+2)')[0], "ok")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(GoKernel)
    suite.addTests(Readers(name) for name in vars(Readers) if name.startswith("test_"))
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
