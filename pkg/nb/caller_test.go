package nb_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/nb"
)

// A failed claim ends the program with the line that made it: the kernel turns that into the cell's line.
func TestFailureNamesTheCallersLine(t *testing.T) {
	switch os.Getenv("NB_FAIL") {
	case "check":
		nb.Check("false", false)
	case "must":
		nb.Must(0, errors.New("broken"))
	case "close":
		nb.CheckClose("pi", 3, 3.14, 0.01)
	}
	for kind, want := range map[string]string{"check": "✗ false", "must": "error: broken", "close": "✗ pi: 3, expected 3.14 ± 0.01"} {
		c := exec.Command(os.Args[0], "-test.run=^TestFailureNamesTheCallersLine$")
		c.Env = append(os.Environ(), "NB_FAIL="+kind)
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "caller_test.go:") {
			t.Errorf("%s: %v, %s", kind, err, out)
		}
	}
}
