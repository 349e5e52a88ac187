"""A change makes exactly those notebooks stale whose outputs it may change."""
import pathlib
import tempfile
import unittest

import nbformat

import digest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = {  # a small module in the shape of this one: top uses base and internal/asm; side and alone use nothing
    "go.mod": "module github.com/golatent/latent\n\ngo 1.26.5\n\nrequire (\n\texample.org/far v1.2.3\n\texample.org/unused v0.1.0\n)\n",
    "tools/go.mod": "module tools\n\nrequire (\n\tgithub.com/janpfeifer/gonb v0.11.5 // indirect\n\tgolang.org/x/tools v0.45.0\n)\n",
    "tools/requirements-xla.txt": "plugin==1.0 \\\n    --hash=sha256:00\n",
    "pkg/base/base.go": "package base\n\nfunc F() int { return 1 }\n",
    "pkg/base/base_test.go": "package base\n\nvar tested = 1\n",
    "pkg/base/base_arm64.go": "package base\n\nconst arm = true\n",
    "pkg/top/top.go": 'package top\n\nimport (\n\t_ "embed"\n\n\t"github.com/golatent/latent/internal/asm"\n\t"github.com/golatent/latent/pkg/base"\n)\n\n//go:embed data.txt\nvar data string\n\nfunc F() int { return base.F() + asm.F() }\n',
    "pkg/top/data.txt": "one",
    "internal/asm/asm.go": "package asm\n\nfunc F() int { return 1 }\n",
    "internal/asm/asm_amd64.s": "TEXT ·F(SB), $0\n",
    "pkg/side/side.go": 'package side\n\nimport _ "example.org/far/part"\n\nfunc F() int { return 1 }\n',
    "pkg/alone/alone.go": "package alone\n\nfunc F() int { return 1 }\n",
    "notebooks/model.zip": "weights",
}
CELLS = {
    "base": ["%%\nfmt.Println(base.F())"],
    "top": ["import \"fmt\"", "%%\nx := top.F() // side.F() is elsewhere\nfmt.Println(\"alone.F\", x.base.F)"],
    "side": ["%%\nside . F()"],
    "alone": ["import other \"github.com/golatent/latent/pkg/alone\"\n%%\nother.F()", "%%\nload(\"model.zip\")"],
    "none": ["%%\nfmt.Println(1)"],
}


class Digest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in FILES.items():
            self.put(name, text)
        self.before = self.digests()

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def digests(self, cells=CELLS):
        module = digest.Module(self.root, ["-e"])  # example.org is nowhere
        return {name: module.digest(c, self.root / "notebooks") for name, c in cells.items()}

    def stale(self, *a):
        return {name for name, d in self.digests(*a).items() if d != self.before[name]}

    def test_a_change_makes_exactly_its_notebooks_stale(self):
        for name, old, new, want in [
            ("pkg/base/base.go", "return 1", "return 2", {"base", "top"}),
            ("pkg/base/base_arm64.go", "true", "false", {"base", "top"}),
            ("pkg/base/base.go", "func F", "// F is one.\nfunc  F", set()),
            ("pkg/base/base_test.go", "1", "2", set()),
            ("pkg/top/top.go", "+", "-", {"top"}),
            ("pkg/top/data.txt", "one", "two", {"top"}),
            ("internal/asm/asm_amd64.s", "$0", "$8", {"top"}),
            ("pkg/side/side.go", "return 1", "return 2", {"side"}),
            ("pkg/alone/alone.go", "return 1", "return 2", {"alone"}),
            ("notebooks/model.zip", "weights", "others", {"alone"}),
            ("go.mod", "far v1.2.3", "far v1.2.4", {"side"}),
            ("go.mod", "unused v0.1.0", "unused v0.2.0", set()),
            ("go.mod", "1.26.5", "1.26.6", set()),
            ("go.mod", "1.26.5", "1.25.0", set(CELLS)),
            ("tools/go.mod", "v0.11.5", "v0.11.6", set(CELLS)),
            ("tools/requirements-xla.txt", "1.0", "1.1", set()),  # none of them is neural
        ]:
            with self.subTest(name, new=new):
                self.assertIn(old, FILES[name])
                self.put(name, FILES[name].replace(old, new))
                self.assertEqual(self.stale(), want)
                self.put(name, FILES[name])
        self.assertEqual(self.stale(), set())

    def test_a_cell(self):
        self.assertEqual(self.stale(CELLS | {"side": ["%%\nside . F() + 1"]}), {"side"})
        self.assertEqual(self.stale(CELLS | {"top": CELLS["top"][::-1]}), {"top"})
        self.assertEqual(self.stale(CELLS | {"none": ["%%\n", "fmt.Println(1)"]}), {"none"})

    def test_this_repository(self):
        module = digest.Module(ROOT)

        def cells(n):
            nb = nbformat.read(next((ROOT / "notebooks").glob(n + "-*.ipynb")), as_version=4)
            return [c.source for c in nb.cells if c.cell_type == "code"]

        def reached(n):
            return {p.removeprefix("github.com/golatent/latent/") for p in module.reached(cells(n)) if p.startswith("github.com/golatent/")}

        self.assertLessEqual({"pkg/nb", "pkg/plotting", "pkg/ml/cluster", "internal/blas"}, reached("03"))
        self.assertFalse({"pkg/ml/manifold", "pkg/ml/neural"} & reached("03"))
        self.assertLessEqual({"pkg/ml/manifold", "pkg/ml/neighbors"}, reached("22"))
        self.assertFalse(module.neural(cells("22")))
        self.assertTrue(module.neural(cells("28")))


if __name__ == "__main__":
    unittest.main()
