//go:build unix && !lean

package main

import (
	"context"
	"iter"
	"strings"

	"github.com/golatent/latent/pkg/ml/autoregressive"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(row{"lstm-step", "shakespeare", goingOn(1, lstmSteps, func(m *autoregressive.CharRNNModel) neural.History { return m.History })})
}

// lstmSteps trains an LSTM of 256 units on windows of 64 characters, 64 of them a step.
func lstmSteps(ctx context.Context, x, _ *mat.Dense) (iter.Seq2[*autoregressive.CharRNNModel, error], error) {
	var text strings.Builder
	for _, v := range x.RawMatrix().Data {
		text.WriteRune(rune(v))
	}
	t := endless(100)
	t.Batch, t.LearningRate, t.ClipNorm = 64, 1e-3, 1
	return autoregressive.CharRNN{Cell: autoregressive.LSTM, Hidden: 256, Sequence: 64, Train: t}.Iterate(ctx, text.String()), nil
}
