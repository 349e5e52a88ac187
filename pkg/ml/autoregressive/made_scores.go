package autoregressive

import (
	"context"
	"fmt"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Scores returns the Fisher score of each row, n × the number of weights: columns are the weights
// in the order of Weights, each matrix row by row; one that is masked has the score 0. The score of
// a layer's matrix is an outer product, what enters the layer times the slope of log p at what
// leaves it, so that one batched pass there and back serves all rows.
func (m *MADEModel) Scores(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "autoregressive.MADEModel.Scores"
	y, err := symbol.Check(method, x, m.Levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, m.Variables); err != nil {
		return nil, err
	}
	in, err := neural.Rows(method, y)
	if err != nil {
		return nil, err
	}
	orders, _ := m.Degrees.Dims()
	perOrder := len(m.layers(0))
	passes, err := m.Func("scores", nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		var enters, leaves []*graph.Node
		n := m.network()
		n.tap = func(in, out *graph.Node) { enters, leaves = append(enters, in), append(leaves, out) }
		slopes := graph.Gradient(graph.ReduceAllSum(n.meanLogProb(s, in[0])), leaves...)
		return append(enters, slopes...)
	})
	if err != nil {
		return nil, err
	}
	parts, err := passes.Rows(ctx, chunk, in)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out := mat.NewDense(n, m.Weights.Count(), nil)
	for r := range orders {
		for l, layer := range m.layers(r) {
			enters, slopes := parts[r*perOrder+l], parts[(orders+r)*perOrder+l]
			if err := parallel.For(ctx, n, 8, func(_, lo, hi int) {
				for i := lo; i < hi; i++ {
					layer.add(out.RawRowView(i), enters.RawRowView(i), slopes.RawRowView(i))
				}
			}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// madeLayer is where a layer's scores go, and which of its weights the mask keeps.
type madeLayer struct {
	weights, biases int // first column; −1 for none
	below, above    []float32
	strict          bool // a weight needs below < above, not ≤
}

// add adds the scores of one row.
func (l madeLayer) add(score, enters, slopes []float64) {
	for i, a := range enters {
		if a == 0 { // a pixel that is off, a unit at rest
			continue
		}
		to := score[l.weights+i*len(slopes):][:len(slopes)]
		for j, s := range slopes {
			if l.below[i] < l.above[j] || !l.strict && l.below[i] == l.above[j] {
				to[j] += a * s
			}
		}
	}
	if l.biases >= 0 {
		for j, s := range slopes {
			score[l.biases+j] += s
		}
	}
}

// layers are those of the network in the order in which logits builds them.
func (m *MADEModel) layers(order int) (out []madeLayer) {
	column, at := map[string]int{}, 0
	for i, name := range m.Weights.Names {
		column[name] = at
		r, c := m.Weights.Values[i].Dims()
		at += r * c
	}
	add := func(name string, below, above []float32, strict bool) {
		biases, ok := column["/"+name+"/biases"]
		if !ok {
			biases = -1
		}
		out = append(out, madeLayer{column["/"+name+"/weights"], biases, below, above, strict})
	}
	outputs := m.Levels
	if m.Levels == 2 {
		outputs = 1
	}
	var seen []float32
	for _, v := range m.Degrees.RawRowView(order) {
		for range outputs {
			seen = append(seen, float32(v))
		}
	}
	below := seen
	for i, width := range m.Hidden {
		own := m.network().hiddenDegrees(width)
		add(fmt.Sprintf("hidden%d", i), below, own, false)
		below = own
	}
	add("direct", seen, seen, true)
	if len(m.Hidden) > 0 {
		add("out", below, seen, true)
	}
	return out
}
