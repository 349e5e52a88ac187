"""What a notebook's outputs depend on, as a digest: the code of its cells, the packages of this module
that they reach with all that those are built from, the versions of what comes from elsewhere, and
XLA's plugin where a network runs. A notebook keeps in its metadata the digest that it was executed
under (execute.py writes it, nothing else); where it is another one now, the notebook is stale.

The digest is the same on every machine: files count for every processor, and Go counts by the
version of its language.
"""
import hashlib
import json
import os
import pathlib
import re
import subprocess

# Comments and texts of Go, in which nothing is imported.
QUIET = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|`[^`]*`|'(?:\\.|[^'\\\n])+'", re.DOTALL)
QUALIFIER = re.compile(r"(?<![\w.)\]])([A-Za-z_]\w*)\s*\.\s*[A-Z]")
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"|`([^`]*)`')
SOURCES = ["GoFiles", "CgoFiles", "CFiles", "CXXFiles", "HFiles", "SFiles", "SysoFiles", "EmbedFiles", "IgnoredGoFiles", "IgnoredOtherFiles"]


def code(source):
    """A Go file without what changes nothing: comments, but for the compiler's directives, and the width of spaces."""
    parts, at = [""], 0  # code and texts, in turn
    for m in QUIET.finditer(source):
        parts[-1] += source[at:m.start()]
        if not m[0].startswith(("//", "/*")) or m[0].startswith("//go:"):
            parts += [m[0], ""]
        else:
            parts[-1] += "\n" if "\n" in m[0] else " "
        at = m.end()
    parts[-1] += source[at:]
    parts[::2] = [re.sub(r" ?\n ?", "\n", re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", s))) for s in parts[::2]]
    return "".join(parts).strip()


class Module:
    """The packages of this module and what it pins."""

    def __init__(self, root, flags=()):
        self.root = pathlib.Path(root)
        env = dict(os.environ, GOOS="linux", GOARCH="amd64", CGO_ENABLED="1", GOEXPERIMENT="simd", GOFLAGS="-mod=readonly", GOWORK="off")
        out = subprocess.run(["go", "list", *flags, "-json=ImportPath,Name,Dir,Deps," + ",".join(SOURCES), "./..."], cwd=self.root, env=env, check=True, capture_output=True, text=True).stdout
        self.packages, decoder, at = {}, json.JSONDecoder(), 0
        while at < len(out.rstrip()):
            p, at = decoder.raw_decode(out, at)
            at = re.compile(r"\s*").match(out, at).end()
            self.packages[p["ImportPath"]] = p
        pins = (self.root / "go.mod").read_text()
        self.path = re.search(r"^module (\S+)", pins, re.MULTILINE)[1]
        self.language = "go " + ".".join(re.search(r"^go (\S+)", pins, re.MULTILINE)[1].split(".")[:2])
        self.required = dict(re.findall(r"^(?:require)?\s+(\S+)\s+(v\S+)", pins, re.MULTILINE))
        self.replaced = dict(re.findall(r"^(?:replace)?\s+(\S+)(?: v\S+)? => (.+)$", pins, re.MULTILINE))
        # The kernel, and what finds a cell's imports.
        self.kernel = re.findall(r"^\s+((?:github.com/janpfeifer/gonb|golang.org/x/tools) v\S+)", self.text("tools/go.mod"), re.MULTILINE)
        self.plugin = [s for s in self.text("tools/requirements-xla.txt").splitlines() if s.strip() and not s.lstrip().startswith("#")]
        self.hashes = {}

    def text(self, name):
        return (self.root / name).read_text() if (self.root / name).exists() else ""

    def hash(self, path):
        if path not in self.hashes:
            content = path.read_bytes()
            if path.suffix == ".go":
                content = code(content.decode()).encode()
            self.hashes[path] = hashlib.sha256(content).hexdigest()
        return self.hashes[path]

    def used(self, cells):
        """The packages of this module that cells name, by import or as goimports would find them: a package for every name before a dot. A variable of that name
        makes a notebook depend on a package too many, which costs time and nothing else."""
        names, paths = set(), set()
        for source in cells:
            names.update(QUALIFIER.findall(QUIET.sub(" ", source)))
            paths.update(a or b for a, b in LITERAL.findall(source))
        return {path for path, p in self.packages.items()
                if path in paths or p["Name"] in names and path.startswith(self.path + "/pkg/")}

    def reached(self, cells):
        """The packages that the cells use, those that these use, and so on: of this module by path, of others by path too."""
        used = self.used(cells)
        return used.union(*(self.packages[p].get("Deps", []) for p in used))

    def read(self, cells, folder):
        """Files of the repository that cells name, a model that ships for instance."""
        for source in cells:
            for a, b in LITERAL.findall(source):
                name = a or b
                if 0 < len(name) < 200 and "\n" not in name and "\0" not in name:
                    path = (folder / name).resolve()
                    if path.is_relative_to(self.root.resolve()) and path.is_file():
                        yield path

    def neural(self, cells):
        return any(p.startswith("github.com/gomlx/") for p in self.reached(cells))

    def digest(self, cells, folder):
        """The digest of the notebook in a folder whose code cells' sources are given."""
        lines = [f"cell {json.dumps(source)}" for source in cells]
        reached = self.reached(cells)
        for path in sorted(reached & self.packages.keys()):
            p = self.packages[path]
            files = sorted({f for kind in SOURCES for f in p.get(kind) or [] if not f.endswith("_test.go")})
            lines += [f"package {path} {f} {self.hash(pathlib.Path(p['Dir']) / f)}" for f in files]
        lines += [f"file {p.relative_to(self.root.resolve())} {self.hash(p)}" for p in sorted(set(self.read(cells, folder)))]
        for path in sorted(reached - self.packages.keys()):
            if "." in path.split("/")[0]:
                module = max((m for m in self.required if path == m or path.startswith(m + "/")), key=len, default=None)
                if module:
                    lines.append(f"module {module} {self.replaced.get(module, self.required[module])}")
        lines += [self.language, *self.kernel]
        if self.neural(cells):
            lines += self.plugin
        return hashlib.sha256("\n".join(dict.fromkeys(lines)).encode()).hexdigest()[:32]
