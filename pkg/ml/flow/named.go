package flow

import (
	"cmp"
	"context"
	"iter"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// RealNVP is a flow of affine couplings (Dinh, Sohl-Dickstein & Bengio, 2017): half of the
// variables pass unchanged and decide a scale and a shift for the other half, and the next coupling
// has it the other way round. The inverse and the log-determinant are exact and as cheap as the map
// itself.
type RealNVP struct {
	Couplings int        // 0 means 8
	Hidden    []int      // widths of each coupling's network; nil means {64, 64}
	Condition mat.Matrix // of Flow
	Train     neural.Train
}

// Flow is the method as layers.
func (r RealNVP) Flow() Flow {
	return alternating(Layer{Kind: Affine, Hidden: r.Hidden}, cmp.Or(r.Couplings, 8), r.Condition, r.Train)
}

// Fit is Flow.Fit.
func (r RealNVP) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(r.Iterate(ctx, x))
}

// Iterate is Flow.Iterate.
func (r RealNVP) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return r.Flow().named(ctx, "flow.RealNVP", "Couplings", r.Couplings, x)
}

// NeuralSpline is a flow of couplings whose variables go through monotonic rational-quadratic
// splines (Durkan, Bekasov, Murray & Papamakarios, 2019): fewer layers are needed than with shifts
// and scales, since each can bend.
type NeuralSpline struct {
	Couplings int        // 0 means 4
	Bins      int        // of each spline; 0 means 8
	Bound     float64    // beyond ±Bound of the standardised data a spline is the identity; 0 means 4
	Hidden    []int      // widths of each coupling's network; nil means {64, 64}
	Condition mat.Matrix // of Flow
	Train     neural.Train
}

// Flow is the method as layers.
func (n NeuralSpline) Flow() Flow {
	return alternating(Layer{Kind: Spline, Hidden: n.Hidden, Bins: n.Bins, Bound: n.Bound}, cmp.Or(n.Couplings, 4), n.Condition, n.Train)
}

// Fit is Flow.Fit.
func (n NeuralSpline) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(n.Iterate(ctx, x))
}

// Iterate is Flow.Iterate.
func (n NeuralSpline) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return n.Flow().named(ctx, "flow.NeuralSpline", "Couplings", n.Couplings, x)
}

// MAF is a masked autoregressive flow (Papamakarios, Pavlakou & Murray, 2017): each variable is
// shifted and scaled by what those before it say, in one order and then in the reverse. The density
// takes one run of each network, a sample as many as there are variables.
type MAF struct {
	Steps     int        // layers; 0 means 6
	Hidden    []int      // widths of each network; nil means {64, 64}
	Condition mat.Matrix // of Flow
	Train     neural.Train
}

// Flow is the method as layers.
func (m MAF) Flow() Flow {
	return alternating(Layer{Kind: Autoregressive, Hidden: m.Hidden}, cmp.Or(m.Steps, 6), m.Condition, m.Train)
}

// Fit is Flow.Fit.
func (m MAF) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(m.Iterate(ctx, x))
}

// Iterate is Flow.Iterate.
func (m MAF) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return m.Flow().named(ctx, "flow.MAF", "Steps", m.Steps, x)
}

// IAF is an inverse autoregressive flow (Kingma et al., 2016): MAF with the two directions changed
// over. A sample takes one run of each network, and the density of a given point, which training by
// likelihood needs, as many as there are variables.
type IAF struct {
	Steps     int        // layers; 0 means 6
	Hidden    []int      // widths of each network; nil means {64, 64}
	Condition mat.Matrix // of Flow
	Train     neural.Train
}

// Flow is the method as layers.
func (i IAF) Flow() Flow {
	return alternating(Layer{Kind: Autoregressive, Hidden: i.Hidden, Inverted: true}, cmp.Or(i.Steps, 6), i.Condition, i.Train)
}

// Fit is Flow.Fit.
func (i IAF) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(i.Iterate(ctx, x))
}

// Iterate is Flow.Iterate.
func (i IAF) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return i.Flow().named(ctx, "flow.IAF", "Steps", i.Steps, x)
}

// mostLayers is how many a named method may have.
const mostLayers = 256

// alternating is n layers of a kind with the halves, or the order, the other way round in each.
func alternating(l Layer, n int, condition mat.Matrix, t neural.Train) Flow {
	f := Flow{Condition: condition, Train: t}
	for i := range min(max(n, 0), mostLayers) {
		l.Parity = i % 2
		f.Layers = append(f.Layers, l)
	}
	return f
}

// named is Iterate in the name of a method whose number of layers is to be checked first.
func (f Flow) named(ctx context.Context, method, option string, n int, x mat.Matrix) iter.Seq2[*Model, error] {
	if n < 0 || n > mostLayers {
		return func(yield func(*Model, error) bool) {
			yield(nil, ml.BadParameter(method, option, n, "1 to 256, or 0 for the default"))
		}
	}
	return f.iterate(ctx, method, x)
}

// MultiScale is RealNVP for pictures (Dinh, Sohl-Dickstein & Bengio, 2017): at each scale three
// couplings through checkerboards, a squeeze, and three by halves of the channels; then half of the
// channels leave as latent variables of that scale, and the rest goes on at half the size.
type MultiScale struct {
	Height, Width, Channels int        // of a picture; 0 Channels means 1
	Levels                  int        // of Flow
	Scales                  int        // 0 means 2; the last has no squeeze, and four checkerboards
	Hidden                  []int      // channels of each coupling's convolutions; nil means {32, 32}
	Condition               mat.Matrix // of Flow
	Train                   neural.Train
}

// Flow is the method as layers.
func (p MultiScale) Flow() Flow {
	shape := []int{p.Height, p.Width, cmp.Or(p.Channels, 1)}
	f := Flow{Shape: shape, Levels: p.Levels, Condition: p.Condition, Train: p.Train}
	hidden := p.Hidden
	if hidden == nil {
		hidden = []int{32, 32}
	}
	couple := func(n int, byChannel bool) {
		for i := range n {
			f.Layers = append(f.Layers, Layer{Kind: Affine, Hidden: hidden, Parity: i % 2, ByChannel: byChannel})
		}
	}
	scales := min(max(cmp.Or(p.Scales, 2), 1), 16)
	for range scales - 1 {
		couple(3, false)
		f.Layers = append(f.Layers, Layer{Kind: Squeeze})
		couple(3, true)
		f.Layers = append(f.Layers, Layer{Kind: Split})
	}
	couple(4, false)
	return f
}

// Fit is Flow.Fit.
func (p MultiScale) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(p.Iterate(ctx, x))
}

// Iterate is Flow.Iterate.
func (p MultiScale) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return p.Flow().named(ctx, "flow.MultiScale", "Scales", p.Scales, x)
}
