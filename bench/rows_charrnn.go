//go:build unix && !lean

package main

import (
	"context"
	"iter"
	"strings"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/autoregressive"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

func init() { register(row{"lstm-step", "shakespeare", lstmSteps(100)}) }

// lstmSteps trains an LSTM of 256 units on windows of 64 characters, 64 of them a step.
func lstmSteps(steps int) fit {
	var next func() (*autoregressive.CharRNNModel, error, bool)
	return func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
		if next == nil {
			var text strings.Builder
			for _, v := range x.RawMatrix().Data {
				text.WriteRune(rune(v))
			}
			c := autoregressive.CharRNN{Cell: autoregressive.LSTM, Hidden: 256, Sequence: 64, Train: neural.Train{Steps: 1 << 30, Batch: 64, LearningRate: 1e-3, ClipNorm: 1, Report: steps,
				Backend: xlatest.Backend()}}
			next, _ = iter.Pull2(c.Iterate(ctx, text.String()))
		}
		m, err, _ := next()
		if err != nil {
			return 0, err
		}
		return m.History.Loss[len(m.History.Loss)-1], nil
	}
}
