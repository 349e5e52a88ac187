//go:build unix

// Package setuptest holds no code: its test runs tools/setup.sh in a folder of its own, with a PATH
// that holds no more than the few commands that the script may count on and stand-ins for go,
// python3, cc and df. So every message that a newcomer can meet is seen, in seconds.
package setuptest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The stand-ins write each call to $LOG. What they do is steered by the environment.
var fakes = map[string]string{
	"go": `echo "go $*" >>"$LOG"
case "$*" in
"env GOVERSION") [ -z "${GO_BROKEN:-}" ] || exit 1; echo "${GO_IS:-go1.26.8}" ;;
"env GOROOT") echo /usr/local/go ;;
"run ./internal/xlainstall"*) exit ${INSTALLER:-0} ;;
"install tool") mkdir -p "$GOBIN" ;;
esac`,
	"python3": `echo "python $*" >>"$LOG"
case "$*" in
--version) echo "Python ${PYTHON_IS:-3.12.1}" ;;
*version_info*) [ -z "${PYTHON_OLD:-}" ] ;;
*ensurepip*) [ -z "${NO_VENV:-}" ] ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/jupyter" ;;
*requirements.txt*) [ -z "${PIP_SLEEPS:-}" ] || { echo started >"$LOG.started"; sleep 60; }; [ -z "${PIP_FAILS:-}" ] ;;
*requirements-xla*)
  case "$*" in *requirements-xla.txt) [ -z "${NO_WHEEL:-}" ] || exit 1 ;; *) [ -z "${NO_FALLBACK:-}" ] || exit 1 ;; esac
  while [ "$1" != --target ]; do shift; done
  mkdir -p "$2" && echo plugin >"$2/pjrt_c_api_cpu_plugin.so" ;;
*kernelspec*) echo "{}" ;;
esac`,
	"cc":    `:`,
	"df":    `echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/x 9 9 ${DISK_KB:-90000000} 9% /"`,
	"uname": `echo Linux x86_64`,
}

// What the script may count on beside them.
var basics = []string{"bash", "env", "cat", "cp", "cksum", "cut", "mkdir", "mv", "rm", "find", "awk", "dirname", "ls", "sleep", "timeout", "grep", "tr"}

type clone struct {
	t         *testing.T
	root, bin string
}

// newClone makes a folder with the script, what it reads, and the commands; those named in without
// are not there.
func newClone(t *testing.T, without ...string) clone {
	t.Helper()
	c := clone{t, filepath.Join(t.TempDir(), "a clone"), ""} // with a space, as on many a desktop
	c.bin = filepath.Join(c.root, "bin")
	script, err := os.ReadFile("../setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	c.write("tools/setup.sh", string(script))
	for _, name := range []string{"requirements.txt", "requirements-test.txt", "requirements-xla.txt", "requirements-xla-fallback.txt", "requirements-cuda.txt", "go.mod", "go.sum",
		"kernelspec.py", "labconfig/page_config.json", "labconfig/default_setting_overrides.json", "labconfig/custom.css", "cell/imports.go", "cellgo/main.go", "cellimports/main.go", "cellrun/main.go", "kernel/main.go", "lint/go.mod"} {
		c.write("tools/"+name, "1")
	}
	for _, name := range []string{"go.mod", "go.sum", "notebooks/00-x.ipynb", "bench/requirements.txt"} {
		c.write(name, "1")
	}
	for name, body := range fakes {
		if !slices.Contains(without, name) {
			c.write("bin/"+name, "#!/bin/sh\n"+body+"\n")
		}
	}
	for _, name := range basics {
		path, err := exec.LookPath(name)
		if err != nil {
			continue // timeout is not everywhere, and need not be
		}
		if err := os.Symlink(path, filepath.Join(c.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c clone) write(name, content string) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

// setup prepares a run; env steers the stand-ins.
func (c clone) setup(env ...string) *exec.Cmd {
	os.Remove(filepath.Join(c.root, "log"))
	cmd := exec.Command(filepath.Join(c.bin, "bash"), "tools/setup.sh")
	cmd.Dir = c.root
	cmd.Env = append([]string{"PATH=" + c.bin, "HOME=" + c.root, "LOG=" + filepath.Join(c.root, "log")}, env...)
	return cmd
}

// run returns what a run says and its exit status.
func (c clone) run(env ...string) (said string, status int) {
	c.t.Helper()
	cmd := c.setup(env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// calls are what the last run called of the stand-ins, but for the questions that each run asks.
func (c clone) calls() (list []string) {
	log, _ := os.ReadFile(filepath.Join(c.root, "log"))
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, " env ") && !strings.Contains(line, " -c ") && !strings.Contains(line, "--version") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// What is missing is said in one line, with how to get it, before anything is made.
func TestWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		without []string
		env     []string
		says    []string
	}{
		"no Go":          {without: []string{"go"}, says: []string{"Go is missing", "https://go.dev/dl"}},
		"an old Go":      {env: []string{"GO_IS=go1.25.3"}, says: []string{"Go 1.26 or newer is needed, this is go1.25.3", "https://go.dev/dl"}},
		"an ancient Go":  {env: []string{"GO_IS=go1.9"}, says: []string{"Go 1.26 or newer is needed"}},
		"a broken Go":    {env: []string{"GO_BROKEN=1"}, says: []string{"the go command does not work"}},
		"no Python":      {without: []string{"python3"}, says: []string{"Python 3.10 or newer is needed (found: none)", "apt install python3", "brew install python"}},
		"an old Python":  {env: []string{"PYTHON_OLD=1", "PYTHON_IS=3.9.2"}, says: []string{"Python 3.10 or newer is needed (found: Python 3.9.2)"}},
		"another Python": {env: []string{"PYTHON=nosuch"}, says: []string{"PYTHON=nosuch is no Python 3.10 or newer"}},
		"no venv":        {env: []string{"NO_VENV=1"}, says: []string{"Python's venv module is missing", "apt install python3-venv"}},
		"no compiler":    {without: []string{"cc"}, says: []string{"a C compiler is missing", "apt install gcc", "xcode-select --install"}},
		"little disk":    {env: []string{"DISK_KB=2500000"}, says: []string{"3 GB of free disk are needed here, there are 2.4 GB"}},
		"CUDA":           {env: []string{"BACKEND=cuda", "DISK_KB=5000000"}, says: []string{"8 GB of free disk are needed here, there are 4.8 GB"}},
	} {
		t.Run(name, func(t *testing.T) {
			clone := newClone(t, c.without...)
			said, status := clone.run(c.env...)
			if status != 1 || !strings.HasPrefix(said, "setup: ") || strings.Count(said, "\n") != 1 {
				t.Errorf("status %d, want 1 and one line; it says:\n%s", status, said)
			}
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if _, err := os.Stat(filepath.Join(clone.root, ".venv")); err == nil {
				t.Error("something was made")
			}
		})
	}
}

func TestGoVersionsThatServe(t *testing.T) {
	for _, version := range []string{"go1.26.0", "go1.27rc1", "go1.31", "go1.100.2", "devel go1.28-abc"} {
		if said, status := newClone(t).run("GO_IS=" + version); status != 0 {
			t.Errorf("%s: %s", version, said)
		}
	}
}

func TestSecondRunDoesNothing(t *testing.T) {
	c := newClone(t)
	said, status := c.run()
	if status != 0 || !strings.Contains(said, "the first time takes") || strings.Count(said, "→ ") != 7 || strings.Count(said, "done in ") != 7 {
		t.Fatalf("status %d:\n%s", status, said)
	}
	if said, status = c.run(); status != 0 || said != "" || len(c.calls()) != 0 {
		t.Errorf("the second run: status %d, calls %q, says %q", status, c.calls(), said)
	}
	// A changed pin is installed, and nothing else.
	c.write("tools/requirements.txt", "2")
	if said, _ = c.run(); strings.Count(said, "→ ") != 1 || !strings.Contains(said, "→ JupyterLab") || len(c.calls()) != 1 {
		t.Errorf("after a changed pin: calls %q, says %q", c.calls(), said)
	}
	// A clone that has moved has its environment made again: a virtual environment holds absolute
	// paths.
	moved := clone{t, filepath.Join(filepath.Dir(c.root), "moved"), ""}
	if err := os.Rename(c.root, moved.root); err != nil {
		t.Fatal(err)
	}
	moved.bin = filepath.Join(moved.root, "bin")
	if said, status = moved.run(); status != 0 || !strings.Contains(said, "→ Python environment") {
		t.Errorf("after the clone has moved: status %d, says %q", status, said)
	}
}

func TestFailureIsSaidAndMended(t *testing.T) {
	c := newClone(t)
	said, status := c.run("PIP_FAILS=1")
	if status == 0 || !strings.Contains(said, "JupyterLab (about 30 s): failed, see above; run it again") || strings.Contains(said, "GoNB") {
		t.Errorf("status %d:\n%s", status, said)
	}
	said, status = c.run()
	if status != 0 || strings.Contains(said, "Python environment") || !strings.Contains(said, "→ JupyterLab") || !strings.Contains(said, "→ Trusting") {
		t.Errorf("run again: status %d:\n%s", status, said)
	}
	if said, _ = c.run(); said != "" {
		t.Errorf("and again:\n%s", said)
	}
}

func TestInterruptedAndRunAgain(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := newClone(t)
		cmd := c.setup("PIP_SLEEPS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the whole group
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(c.root, "log.started")); err == nil {
				break
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("it did not come so far:\n%s", said.String())
			}
		}
		begun := time.Now()
		if err := syscall.Kill(-cmd.Process.Pid, signal); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%v: it ended after %v", signal, took)
		}
		if status := cmd.ProcessState.ExitCode(); status != 130 || !strings.Contains(said.String(), "interrupted; run it again and it goes on from here") || strings.Contains(said.String(), "failed") {
			t.Errorf("%v: status %d:\n%s", signal, status, said.String())
		}
		again, status := c.run()
		if status != 0 || strings.Contains(again, "Python environment") || !strings.Contains(again, "→ JupyterLab") {
			t.Errorf("%v, run again: status %d:\n%s", signal, status, again)
		}
		if last, _ := c.run(); last != "" {
			t.Errorf("%v, and again:\n%s", signal, last)
		}
	}
}

// The plugin comes from one wheel, else from another, else from GoMLX's installer, else there is
// none: each said in one line.
func TestWhereXLAComesFrom(t *testing.T) {
	const plugin = ".venv/latent/xla/pjrt_c_api_cpu_plugin.so"
	for name, c := range map[string]struct {
		env    []string
		plugin bool
		says   []string
	}{
		"the first wheel": {nil, true, nil},
		"the second":      {[]string{"NO_WHEEL=1"}, true, nil},
		"GoMLX's own":     {[]string{"NO_WHEEL=1", "NO_FALLBACK=1"}, false, []string{"can't be had from PyPI; trying GoMLX's own installer"}},
		"none to be had":  {[]string{"NO_WHEEL=1", "NO_FALLBACK=1", "INSTALLER=1"}, false, []string{"trying GoMLX's own", "No XLA here: neural networks will run on GoMLX's pure-Go backend"}},
	} {
		clone := newClone(t)
		said, status := clone.run(c.env...)
		_, err := os.Stat(filepath.Join(clone.root, plugin))
		if status != 0 || (err == nil) != c.plugin {
			t.Errorf("%s: status %d, the plugin: %v\n%s", name, status, err, said)
		}
		if got := strings.Count(said, "\n  ") - strings.Count(said, "done in"); got != len(c.says) {
			t.Errorf("%s: %d lines beside the steps, want %d:\n%s", name, got, len(c.says), said)
		}
		for _, want := range c.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, said)
			}
		}
	}
}
