//go:build unix && !lean

package main

import (
	"context"
	"iter"
	"strings"

	"github.com/golatent/latent/pkg/ml/autoregressive"
	"github.com/golatent/latent/pkg/ml/autoregressive/pictures"
	"github.com/golatent/latent/pkg/ml/autoregressive/text"
	"github.com/golatent/latent/pkg/ml/neural"
)

func init() {
	register(
		steps("lstm-step", "shakespeare200k", 1, lstmSteps, func(m *text.CharRNNModel) neural.History { return m.History }),
		steps("made-step", "mnist10k", 2, madeSteps, func(m *autoregressive.MADEModel) neural.History { return m.History }),
		steps("pixelcnn-step", "mnist10k", 1, pixelCNNSteps, func(m *pictures.PixelCNNModel) neural.History { return m.History }),
	)
}

// lstmSteps trains an LSTM of 256 units on windows of 64 characters, 64 of them a step.
func lstmSteps(ctx context.Context, p problem) (iter.Seq2[*text.CharRNNModel, error], error) {
	var plays strings.Builder
	for _, v := range p.X.RawMatrix().Data {
		plays.WriteRune(rune(v))
	}
	t := endless(100, p.Seed)
	t.Batch, t.ClipNorm = 64, 1
	return text.CharRNN{Cell: text.LSTM, Hidden: 256, Sequence: 64, Train: t}.Iterate(ctx, plays.String()), nil
}

func madeSteps(ctx context.Context, p problem) (iter.Seq2[*autoregressive.MADEModel, error], error) {
	return autoregressive.MADE{Train: endless(100, p.Seed)}.Iterate(ctx, bits(p.X, 0, trainImages)), nil
}

// pixelCNNSteps leaves out what the method adds by default and the peer does not.
func pixelCNNSteps(ctx context.Context, p problem) (iter.Seq2[*pictures.PixelCNNModel, error], error) {
	t := endless(20, p.Seed)
	t.Schedule, t.EMA, t.ClipNorm = neural.Constant, -1, -1
	o := pictures.PixelCNN{Gated: true, Channels: 16, Layers: 2, First: 5, Dropout: -1, Train: t}
	return o.Iterate(ctx, bits(p.X, 0, trainImages)), nil
}
