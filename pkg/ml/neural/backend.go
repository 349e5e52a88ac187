package neural

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // "go"
)

// A Backend compiles graphs and runs them. Its random numbers are never used: what is random in a
// training is drawn in Go (see Noise), and starting weights are made on the pure-Go backend, so
// that one seed means the same on all of them.
type Backend struct {
	compute.Backend
	Config string // as GoMLX names it: "xla:cuda", "xla:cpu", "go"
	Why    string // one line: which it is, and why
}

func (b *Backend) String() string { return b.Why }

var opened = struct {
	sync.Mutex
	byConfig map[string]compute.Backend
}{byConfig: map[string]compute.Backend{}}

// Open returns the backend of a name: "cuda", "xla" (on the CPU), "go", or a configuration as GoMLX
// writes it. The empty name leaves the choice to the environment variable GOMLX_BACKEND, and
// without it to what there is: CUDA before XLA on the CPU before pure Go. One backend a
// configuration is opened in a process and shared.
//
// The CUDA path has not been run yet: no machine with a GPU was at hand.
//
// A backend that is asked for and can't be had is an error that wraps ml.ErrParameter; an empty
// choice always finds one.
func Open(name string) (*Backend, error) {
	opened.Lock()
	defer opened.Unlock()
	reason := "asked for"
	if name == "" {
		name, reason = os.Getenv(compute.ConfigEnvVar), compute.ConfigEnvVar+" asks for it"
	}
	if name != "" {
		config := name
		switch name {
		case "cuda", "gpu":
			config = "xla:cuda"
		case "xla", "cpu":
			config = "xla:cpu"
		}
		b, err := open(config, reason)
		if err != nil {
			return nil, ml.BadParameter("neural.Open", "backend", fmt.Sprintf("%q", name), fmt.Sprintf("one that can be had here (%v)", err))
		}
		return b, nil
	}
	var missing []string
	for _, config := range []string{"xla:cuda", "xla:cpu", "go"} {
		if config == "xla:cuda" && !hasGPU() {
			missing = append(missing, "there is no GPU")
			continue
		}
		b, err := open(config, strings.Join(missing, "; "))
		if err == nil {
			return b, nil
		}
		missing = append(missing, fmt.Sprintf("%s can't be had: %v", config, err))
	}
	return nil, fmt.Errorf("neural.Open: no backend: %s", strings.Join(missing, "; "))
}

func open(config, reason string) (*Backend, error) {
	b, ok := opened.byConfig[config]
	if !ok {
		if strings.HasPrefix(config, "xla") {
			if err := prepareXLA(); err != nil {
				return nil, err
			}
		}
		options := config
		if config == "go" {
			// By default operations run side by side, and those that spread over workers themselves
			// can come to wait for each other's workers forever. One after another they can't, and
			// each still uses all processors.
			options = "go:ops_sequential"
		}
		err := guard("opening the backend", func() (err error) {
			b, err = compute.NewWithConfig(options)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%.200s", firstLine(err))
		}
		opened.byConfig[config] = b
	}
	what := map[string]string{"xla:cuda": "XLA on CUDA", "xla:cpu": "XLA on the CPU", "go": "GoMLX's pure-Go backend"}[config]
	if what == "" {
		what = config
	}
	if reason != "" {
		what += ": " + reason
	}
	return &Backend{b, config, what}, nil
}

// hasGPU looks for what an NVIDIA driver leaves in /dev.
func hasGPU() bool {
	found, _ := filepath.Glob("/dev/nvidia[0-9]*")
	return len(found) > 0
}

// guard turns a panic of GoMLX or XLA, which report a caller's mistake so, into an error, and
// leaves out the stacks and the whole tensors that their errors can carry.
func guard(doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); ok {
				err = fmt.Errorf("%s: %w", doing, e)
				return
			}
			err = fmt.Errorf("%s: %v", doing, p)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			err = errors.New(firstLine(err))
		}
	}()
	return f()
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
