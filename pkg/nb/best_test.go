package nb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/cluster"
)

// A fit that ends with its context gives the model so far, and Best keeps it.
func TestBestKeepsTheModelOfAnInterruptedFit(t *testing.T) {
	x := datasets.Iris().X
	ctx, cancel := context.WithCancel(context.Background())
	var m *cluster.KMeansModel
	shown, stderr, status := cellRun(t, func() {
		steps := 0
		var err error
		for m, err = range (cluster.KMeans{K: 3, Start: cluster.RandomPoints}).Iterate(ctx, x) {
			if steps++; steps == 2 {
				cancel()
			}
		}
		if m == nil || !errors.Is(err, context.Canceled) {
			t.Fatalf("the fit ended with %v, %v", m, err)
		}
		if best := Best(m, err); best != m {
			t.Errorf("another model: %v", best)
		}
	})
	if len(shown) != 1 || !strings.HasPrefix(shown[0], "stopped before the end: the best so far") || stderr != "" || status != 0 {
		t.Errorf("%q %q %d", shown, stderr, status)
	}
}

func TestBestIsMustOtherwise(t *testing.T) {
	model := new(int)
	for _, c := range []struct {
		name   string
		v      *int
		err    error
		status int
		says   string
	}{
		{"no error", model, nil, 0, ""},
		{"a deadline", model, fmt.Errorf("fit: %w", context.DeadlineExceeded), 0, ""},
		{"no model yet", nil, context.Canceled, 130, "interrupted\n"},
		{"another error", model, errors.New("K = 200"), 1, "error: K = 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			shown, stderr, status := cellRun(t, func() {
				if got := Best(c.v, c.err); got != c.v {
					t.Errorf("got %v", got)
				}
			})
			if status != c.status || !strings.HasPrefix(stderr, c.says) || c.says == "" && stderr != "" || (len(shown) == 1) != (c.status == 0 && c.err != nil) {
				t.Errorf("%q %q %d", shown, stderr, status)
			}
		})
	}
}
