//go:build unix

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The lean program links no GoMLX, and all that it leaves out is what does.
func TestLean(t *testing.T) {
	imports := func(tags ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", append(append([]string{"list", "-deps"}, tags...), ".")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const gomlx = "github.com/gomlx/"
	if strings.Contains(imports("-tags=lean"), gomlx) {
		t.Errorf("built with -tags lean the program links GoMLX: a file with rows of networks begins with %q", "//go:build unix && !lean")
	}
	if !strings.Contains(imports(), gomlx) {
		t.Error("the whole program has no network in it")
	}
}
