package autoregressive

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// stopping is a context that ends at a training's first report from a step on, and says when that was.
func stopping(t *testing.T, step int) (ctx context.Context, asked *time.Time) {
	ended, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	asked = new(time.Time)
	return neural.Watch(ended, func(r neural.Trained) {
		if r.Steps >= step && asked.IsZero() {
			*asked = time.Now()
			cancel()
		}
	}), asked
}

// stopped holds a training whose context ends at a step to its end within 100 ms, with the model so far: of two reports at least.
func stopped[M any](t *testing.T, step int, fit func(context.Context) (*M, error), history func(*M) neural.History) *M {
	t.Helper()
	ctx, asked := stopping(t, step)
	m, err := fit(ctx)
	if late := time.Since(*asked); late > 100*time.Millisecond {
		t.Errorf("it took %v to end", late)
	}
	if !errors.Is(err, context.Canceled) || m == nil || len(history(m).Steps) < 2 {
		t.Fatalf("a cancelled training gives %v and %v", m, err)
	}
	return m
}

type withLogProb interface {
	LogProb(ctx context.Context, x mat.Matrix) ([]float64, error)
}

func logProb(t testing.TB, m any, x mat.Matrix) []float64 {
	t.Helper()
	l, err := m.(withLogProb).LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sameOnBothBackends holds log p of a model on XLA to what it is on the Go backend.
func sameOnBothBackends(t *testing.T, x mat.Matrix, m withLogProb) {
	t.Helper()
	xlatest.Require(t)
	t.Setenv("GOMLX_BACKEND", "go")
	onGo := logProb(t, m, x)
	t.Setenv("GOMLX_BACKEND", "xla:cpu")
	closeTo(t, "log p on XLA", logProb(t, m, x), onGo, 1e-4)
}

// withText is c with a text to validate on.
func withText(c CharRNN, validation string) CharRNN {
	c.Validation = validation
	return c
}

// onText fits a WaveNet to a text; validation may be "".
func onText(ctx context.Context, w WaveNet, text, validation string) (*WaveNetModel, error) {
	x, vocabulary, err := Numbers(text, w.Vocabulary)
	if err != nil {
		return nil, err
	}
	w.Vocabulary = vocabulary
	if validation != "" {
		if w.Train.Validation, _, err = Numbers(validation, vocabulary); err != nil {
			return nil, err
		}
	}
	return w.Fit(ctx, x)
}
