package manifold

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// NonmetricMDS places n objects so that the distances of the map have the order of the given
// dissimilarities, as nearly as can be (Shepard, 1962; Kruskal, 1964). With the disparities d̂,
// which are any numbers in the order of the dissimilarities, it minimises
//
//	stress-1 = √( Σ_{i<j} (dᵢⱼ − d̂ᵢⱼ)² / Σ_{i<j} d̂ᵢⱼ² )
//
// over the map and the disparities in turn: these by isotonic regression, that by a step of SMACOF.
// Neither step raises the stress. Only the order of the dissimilarities is used, also for the
// start: a monotone change of them changes nothing. The map has no scale.
//
// A step costs O(n²·Components), the first sorts n²/2 pairs; memory is O(n²).
type NonmetricMDS struct {
	Components int             // dimensions of the map, at most n; 0 means 2
	Metric     distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	Ties       Ties            // "" means Untied
	Init       mat.Matrix      // n×Components start; nil means the map of ClassicalMDS of the ranks
	Restarts   int             // starts at random beside the one above; the map of least stress is kept; 0 means none
	MaxIter    int             // per start; 0 means 300
	Tolerance  float64         // a start ends when the square of stress-1 falls by less in a step; 0 means 1e-7
	Seed       uint64          // same seed, same result
}

// Ties names what equal dissimilarities ask of the disparities (Kruskal, 1964).
type Ties string

// The treatments of ties.
const (
	Untied Ties = "untied" // nothing: Kruskal's primary approach
	Tied   Ties = "tied"   // to be equal too: his secondary approach
)

// Fit maps the rows of x (n×d) by the order of their distances, or the objects of an n×n table of
// dissimilarities. The errors are those of distance.Pairwise or distance.Table, ml.ErrParameter for
// an option out of range, ml.ErrShape for an Init that does not fit, and ctx.Err(), along with the
// best map so far, when ctx ends first.
func (m NonmetricMDS) Fit(ctx context.Context, x mat.Matrix) (*MDSModel, error) {
	return leastStress(m.start(ctx, x))
}

// Iterate runs the first start of Fit and yields the map before the first step and after every
// step; each model is a fresh value.
func (m NonmetricMDS) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*MDSModel, error] {
	return firstStart(m.start(ctx, x))
}

const nonmetricName = "manifold.NonmetricMDS"

func (m NonmetricMDS) start(ctx context.Context, x mat.Matrix) (*starts, error) {
	o := smacofOptions{nonmetricName, m.Init, m.Restarts, m.MaxIter, m.Tolerance, m.Seed}
	if m.Ties != "" && m.Ties != Untied && m.Ties != Tied {
		return nil, ml.BadParameter(nonmetricName, "Ties", m.Ties, sprintf("%q or %q", Untied, Tied))
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	d, err := table(ctx, nonmetricName, x, m.Metric)
	if err != nil {
		return nil, err
	}
	p, err := o.prepare(d, m.Components)
	if err != nil {
		return nil, err
	}
	if p.order, err = newRanking(ctx, p.delta, m.Ties == Tied); err != nil {
		return nil, err
	}
	p.targets = make([]float64, len(p.delta))
	// From here on ranks, between 0 and 1, stand for the dissimilarities.
	p.order.ranks(p.delta)
	at := 0
	for i := range p.n {
		for j := i + 1; j < p.n; j++ {
			p.table.Set(i, j, p.delta[at])
			p.table.Set(j, i, p.delta[at])
			at++
		}
	}
	if p.init != nil {
		p.init.Scale(1/p.scale, p.init)
	}
	p.scale = 1
	return o.runs(ctx, p, func() (*mat.Dense, error) {
		c, err := ClassicalMDS{Components: p.k, Seed: m.Seed}.fit(ctx, p.table)
		if err != nil {
			return nil, err
		}
		return c.Embedding, nil
	}), nil
}

// ranking is the order of the pairs by their dissimilarity.
type ranking struct {
	pairs  []int // in ascending order
	blocks []int // where stretches of equal dissimilarities begin, and the end
	tied   bool
	d, fit []float64 // distances and disparities, in the order of the pairs
	weight []float64
}

// newRanking sorts the pairs. The error is ctx.Err().
func newRanking(ctx context.Context, delta []float64, tied bool) (*ranking, error) {
	r := &ranking{pairs: make([]int, len(delta)), tied: tied, d: make([]float64, len(delta)), fit: make([]float64, len(delta))}
	for i := range r.pairs {
		r.pairs[i] = i
	}
	if err := parallel.Abandon(ctx, func() {
		slices.SortFunc(r.pairs, func(a, b int) int {
			if c := cmp.Compare(delta[a], delta[b]); c != 0 {
				return c
			}
			return a - b
		})
	}); err != nil {
		return nil, err
	}
	for i, p := range r.pairs {
		if i == 0 || delta[p] != delta[r.pairs[i-1]] {
			r.blocks = append(r.blocks, i)
		}
	}
	r.blocks = append(r.blocks, len(r.pairs))
	return r, nil
}

// ranks sets each dissimilarity to its rank over the number of pairs, equal ones to the mean of
// theirs.
func (r *ranking) ranks(delta []float64) {
	for b := range len(r.blocks) - 1 {
		lo, hi := r.blocks[b], r.blocks[b+1]
		for _, p := range r.pairs[lo:hi] {
			delta[p] = (float64(lo) + float64(hi) + 1) / 2 / float64(len(r.pairs))
		}
	}
}

// disparities sets the targets to the numbers in the right order that are nearest to the distances
// of the map, scaled so that their squares add up to the number of pairs. Of all such numbers they
// have the largest correlation with the distances, so the stress of the best-sized map does not
// rise.
func (r *ranking) disparities(ctx context.Context, p *smacofFit, x *mat.Dense) error {
	distances := p.targets // their place, until they are sorted
	if err := parallel.For(ctx, len(p.chunks)-1, 1, func(c, _, _ int) {
		for i := p.chunks[c]; i < p.chunks[c+1]; i++ {
			at := distance.Index(p.n, i, i+1)
			for j := i + 1; j < p.n; j++ {
				distances[at] = distanceOf(x.RawRowView(i), x.RawRowView(j))
				at++
			}
		}
	}); err != nil {
		return err
	}
	return parallel.Abandon(ctx, func() { r.fitTo(distances) })
}

// fitTo replaces the distances of the pairs by their disparities.
func (r *ranking) fitTo(distances []float64) {
	for b := range len(r.blocks) - 1 {
		lo, hi := r.blocks[b], r.blocks[b+1]
		switch {
		case hi == lo+1:
		case r.tied:
			mean := 0.0
			for _, q := range r.pairs[lo:hi] {
				mean += distances[q]
			}
			mean /= float64(hi - lo)
			for _, q := range r.pairs[lo:hi] {
				distances[q] = mean
			}
		default: // equal dissimilarities may have any disparities: in the order of their distances these are already isotonic
			slices.SortFunc(r.pairs[lo:hi], func(a, b int) int {
				if c := cmp.Compare(distances[a], distances[b]); c != 0 {
					return c
				}
				return a - b
			})
		}
	}
	for i, q := range r.pairs {
		r.d[i] = distances[q]
	}
	r.weight = isotonic(r.fit, r.d, r.weight)
	s := 0.0
	for _, v := range r.fit {
		s += v * v
	}
	factor := 0.0
	if s > 0 {
		factor = math.Sqrt(float64(len(r.fit)) / s)
	}
	for i, q := range r.pairs {
		distances[q] = r.fit[i] * factor
	}
}

// isotonic sets fit to the numbers that never fall and are nearest to v in the sense of least
// squares, by pooling adjacent violators (Ayer et al., 1955): O(n). weight is room to work in; it
// is grown and returned.
func isotonic(fit, v, weight []float64) []float64 {
	weight = slices.Grow(weight[:0], len(v))[:len(v)]
	blocks := 0 // each a mean in fit and a number of members in weight
	for _, value := range v {
		fit[blocks], weight[blocks] = value, 1
		for blocks > 0 && fit[blocks-1] > fit[blocks] {
			w := weight[blocks-1] + weight[blocks]
			fit[blocks-1] = (fit[blocks-1]*weight[blocks-1] + fit[blocks]*weight[blocks]) / w
			weight[blocks-1] = w
			blocks--
		}
		blocks++
	}
	at := len(v)
	for b := blocks - 1; b >= 0; b-- {
		mean := fit[b]
		for range int(weight[b]) {
			at--
			fit[at] = mean
		}
	}
	return weight
}

// Shepard is a table of pairs for Shepard's diagram: what was asked, what the map shows, and the
// isotonic regression of the one on the other.
type Shepard struct {
	Dissimilarities []float64 // ascending
	Distances       []float64 // of the map
	Disparities     []float64 // never fall; for a perfect map of the order they equal Distances
}

// NewShepard compares a symmetric n×n table of dissimilarities with the distances of a map of n
// rows. The errors are those of distance.Table and ml.ErrShape for another number of rows.
func NewShepard(dissimilarities, embedding mat.Matrix) (*Shepard, error) {
	const method = "manifold.NewShepard"
	d, err := distance.Table(context.Background(), method, dissimilarities)
	if err != nil {
		return nil, err
	}
	y, err := ml.Dense(method, embedding)
	if err != nil {
		return nil, err
	}
	n, _ := d.Dims()
	if rows, _ := y.Dims(); rows != n {
		return nil, ml.BadShape(method, "the map has %d rows for %d objects", rows, n)
	}
	var delta, distances []float64
	for i := range n {
		for j := i + 1; j < n; j++ {
			delta = append(delta, d.At(i, j))
			distances = append(distances, distanceOf(y.RawRowView(i), y.RawRowView(j)))
		}
	}
	order := make([]int, len(delta))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(delta[a], delta[b]), cmp.Compare(distances[a], distances[b]), a-b)
	})
	s := &Shepard{make([]float64, len(order)), make([]float64, len(order)), make([]float64, len(order))}
	for i, p := range order {
		s.Dissimilarities[i], s.Distances[i] = delta[p], distances[p]
	}
	isotonic(s.Disparities, s.Distances, nil)
	return s, nil
}
