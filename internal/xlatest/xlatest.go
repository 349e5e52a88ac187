// Package xlatest lets tests and benchmarks run XLA outside the Go kernel, which tells its cells
// where the plugin lies.
package xlatest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const variable = "PJRT_PLUGIN_LIBRARY_PATH"

// Main is a TestMain. go-xla reads where its plugins are before any test can tell it, so the test
// program starts itself again with the folders that tools/setup.sh made in the clone, unless the
// environment names some already.
func Main(m *testing.M) {
	if folders := inClone(); os.Getenv(variable) == "" && len(folders) > 0 {
		self, err := os.Executable()
		if err == nil {
			err = syscall.Exec(self, os.Args, append(os.Environ(), variable+"="+strings.Join(folders, ":")))
		}
		fmt.Fprintln(os.Stderr, "xlatest: running again with XLA:", err)
	}
	os.Exit(m.Run())
}

// Found reports whether there is a plugin for the CPU, and a program that can load it.
func Found() bool {
	if !cgo {
		return false
	}
	for folder := range strings.SplitSeq(os.Getenv(variable), ":") {
		if found, _ := filepath.Glob(filepath.Join(folder, "*pjrt*cpu*")); folder != "" && len(found) > 0 {
			return true
		}
	}
	return false
}

// Require skips a test that needs XLA where there is no plugin.
func Require(t testing.TB) {
	t.Helper()
	if !Found() {
		t.Skip("there is no XLA plugin here: tools/setup.sh lab fetches it into .venv/latent/xla")
	}
}

// Backend is the name under which neural.Open finds XLA on the CPU without any environment: for
// programs that are no test.
func Backend() string {
	for _, folder := range inClone() {
		if strings.HasSuffix(folder, "xla") && !Found() {
			return "xla:" + filepath.Join(folder, cpu)
		}
	}
	return "xla"
}

const cpu = "pjrt_c_api_cpu_plugin.so"

// inClone lists the folders of the plugins, CUDA's first, as tools/kernelspec.py does.
func inClone() (folders []string) {
	_, file, _, _ := runtime.Caller(0)
	latent := filepath.Join(filepath.Dir(file), "..", "..", ".venv", "latent")
	for _, plugin := range []string{"cuda/pjrt/pjrt_c_api_cuda_plugin.so", "xla/" + cpu} {
		path := filepath.Join(latent, filepath.FromSlash(plugin))
		if _, err := os.Stat(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	return folders
}
