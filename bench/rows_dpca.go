//go:build unix

package main

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml/decomposition"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(row{name: "dpca", input: "demixed1200x400", figures: []figure{{"share of marginals rebuilt", higher}}, fit: demixed})
}

// demixed has the penalty and the number of components of the peer, and means alone, as it does.
func demixed(ctx context.Context, p problem) (judge, error) {
	const stimuli, decisions, steps = 6, 2, 100
	var lengths []int
	var s, q []string
	for c := range stimuli * decisions {
		lengths, s, q = append(lengths, steps), append(s, fmt.Sprint(c/decisions)), append(q, fmt.Sprint(c%decisions))
	}
	means, err := trials.Cut(p.X, lengths, trials.NewFactor("stimulus", s), trials.NewFactor("decision", q))
	if err != nil {
		return nil, err
	}
	joined := decomposition.JoinedWithTime("stimulus", "decision")
	m, err := decomposition.DPCA{Components: 5, Penalty: decomposition.Official, Lambda: 1e-6, Noise: decomposition.NoNoise, Marginals: joined}.Fit(ctx, means)
	if err != nil {
		return nil, err
	}
	return func(context.Context) ([]float64, error) {
		average, err := means.Average()
		if err != nil {
			return nil, err
		}
		z, err := m.Transform(average.Mean)
		if err != nil {
			return nil, err
		}
		left := 0.0
		for i, marginal := range joined {
			var rest *mat.Dense
			for _, set := range marginal.Sets {
				part, err := average.Marginal(set...)
				if err != nil {
					return nil, err
				}
				if rest == nil {
					rest = mat.NewDense(part.RawMatrix().Rows, part.RawMatrix().Cols, nil)
				}
				rest.Add(rest, part)
			}
			for c := range m.Of {
				if m.Of[c] == i {
					rest.RankOne(rest, -1, z.ColView(c), m.Encoder.RowView(c))
				}
			}
			left += math.Pow(mat.Norm(rest, 2), 2)
		}
		return []float64{1 - left/m.Total}, nil
	}, nil
}
