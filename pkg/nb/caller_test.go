package nb_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/nb"
)

// A failed claim ends the program with the line that made it: the kernel turns that into the cell's
// line.
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

// One interrupt reaches a cell twice, from Jupyter and from the kernel: the work must still end by
// its context. A later one ends the program.
func TestInterrupt(t *testing.T) {
	if os.Getenv("NB_INTERRUPT") != "" {
		ctx := nb.Context()
		fmt.Println("ready")
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		fmt.Println("model so far")
		time.Sleep(10 * time.Second)
		fmt.Println("deaf")
		return
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInterrupt$")
	c.Env = append(os.Environ(), "NB_INTERRUPT=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the cell says %q, want %q", lines.Text(), want)
		}
	}
	next("ready")
	for range 2 {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	next("model so far")
	time.Sleep(700 * time.Millisecond)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("a later interrupt did not end the program: %q", lines.Text())
	}
	if err := c.Wait(); err == nil {
		t.Error("it ended as if nothing had happened")
	}
}
