package manifold

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// UMAP maps points so that those that are near in the data are near in the map (McInnes, Healy &
// Melville, 2018). A graph joins each point to its nearest neighbors, with weights vᵢⱼ that say how
// certainly they are neighbors, every point measuring in units of its own surroundings. The
// closeness of two points of the map is wᵢⱼ = 1/(1 + a·‖yᵢ−yⱼ‖^(2b)); MinDist and Spread set a and
// b, and with them how tightly a map may pack what is near.
//
// The map starts with eigenvectors of the graph's Laplacian. In an epoch each edge is drawn with a
// probability proportional to its weight; its ends are pulled together, and each is pushed away
// from m = Negatives points drawn at random. On average this lowers
//
//	Σ_{i<j} 2vᵢⱼ·(−log wᵢⱼ) + m(dᵢ+dⱼ)/2n·(−log(1−wᵢⱼ)),
//
// dᵢ = Σⱼ vᵢⱼ, which weighs pushes much less than the cross-entropy of v and w that the method is
// derived from (Damrich & Hamprecht, 2021).
//
// What is near in the map was mostly near in the data. Distances between groups, their sizes and
// their densities in the map say little about the data: every point measures in units of its own,
// and the pushes are drawn, not summed.
//
// The neighbors are found exactly for up to 16,384 rows, or 512·Neighbors if that is more, and by
// neighbors.NNDescent beyond; an epoch costs O(n·Neighbors·Negatives). Points are dealt into a
// fixed number of blocks, and a goroutine has two blocks at a time for itself, in a fixed order of
// pairs, so that updates follow each other as in one thread, and the map is the same for any number
// of processors. On two cores of 2026 a map of 20,000 rows of 50 columns takes 2 s and 0.1 GB, one
// of 200,000 rows 27 s and 0.9 GB (BenchmarkUMAP).
type UMAP struct {
	Components int // dimensions of the map; 0 means 2
	Neighbors  int // of a point, itself counted, at most n; 0 means 15, or n where that is less
	// how near two points of the map may come, in units in which the pull reaches as far as Spread;
	// 0 means 0.1, negative 0
	MinDist   float64
	Spread    float64         // scale of the map, ≥ MinDist; 0 means 1
	Metric    distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	Init      mat.Matrix      // n×Components start, used as it is; nil means the spectral one
	Epochs    int             // 0 means 4,000,000/n, but at least 240 and at most 1000
	Rate      float64         // of learning in the first epoch, from which it falls to 0; 0 means 1
	Negatives int             // points that an end of a drawn edge is pushed from; 0 means 5, negative none
	Repulsion float64         // weight of the pushes; 0 means 1
	Seed      uint64          // same seed, same result
}

// UMAPModel is a map and what it takes to place new points on it.
type UMAPModel struct {
	Embedding *mat.Dense // n×Components
	A, B      float64    // of the closeness 1/(1 + A·d^(2B))
	Graph     FuzzyGraph // of the points; shared by the models of one fit
	Epoch     int        // epochs done

	// What Transform needs.

	Data      *mat.Dense // n×d, what was mapped; nil where it was a table of distances
	Metric    string     // name of the metric, "function" for a caller's own
	Exponent  float64    // of Minkowski's
	Neighbors int        // of a point, itself counted
	Negatives int
	Repulsion float64
	Rate      float64
	Seed      uint64

	metric distance.Metric // a caller's own, which no file can hold
}

func init() { ml.Register[UMAPModel]("manifold.UMAPModel") }

const umapName = "manifold.UMAP"

// Fit maps the rows of x (n×d), n ≥ 2. The errors are those of ml.Dense and of the search for
// neighbors, ml.ErrParameter for an option out of range, ml.ErrShape for fewer than two rows or an
// Init that does not fit, and ctx.Err(), along with the map so far once the first epoch has begun,
// when ctx ends first.
func (u UMAP) Fit(ctx context.Context, x mat.Matrix) (*UMAPModel, error) {
	f, err := u.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for f.epoch < f.epochs && f.step(ctx) == nil {
	}
	m, err := f.snapshot()
	if err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// Iterate yields the start and then the map after every epoch; each model is a fresh value but for
// the graph and the data. The loss falls in the long run and not in each epoch, since edges and
// pushes are drawn.
func (u UMAP) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*UMAPModel, error] {
	return func(yield func(*UMAPModel, error) bool) {
		f, err := u.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		for {
			m, err := f.snapshot()
			if err == nil && f.stopped {
				err = ctx.Err()
			}
			if !yield(m, err) || err != nil || f.epoch == f.epochs {
				return
			}
			f.stopped = f.step(ctx) != nil
		}
	}
}

// umapFit is the state of a fit.
type umapFit struct {
	*layout
	model   UMAPModel // but for Embedding and Epoch
	epochs  int
	rate    float64
	stopped bool
}

func (u UMAP) begin(ctx context.Context, x mat.Matrix) (*umapFit, error) {
	given := isTable(u.Metric)
	dense, err := rowsOrTable(ctx, umapName, x, given)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	if u, err = u.defaults(n); err != nil {
		return nil, err
	}
	var start *mat.Dense
	if u.Init != nil {
		if start, err = checkInit(umapName, u.Init, n, u.Components); err != nil {
			return nil, err
		}
	}
	near, err := nearest(ctx, dense, u.Neighbors-1, u.Metric, u.Seed)
	if err != nil {
		return nil, err
	}
	graph, err := fuzzy(ctx, near)
	if err != nil {
		return nil, err
	}
	drawn := u.Epochs
	if drawn <= 10 { // few epochs are to show the beginning of a fit, not one on half the edges
		drawn = 500
	}
	visible := graph.visible(drawn)
	if start == nil {
		rows := dense
		if given {
			rows = nil // distances say where no part of the graph is
		}
		if start, err = u.start(ctx, visible, rows); err != nil {
			return nil, err
		}
	}
	var data *mat.Dense
	if !given {
		if data, err = copied(ctx, dense); err != nil {
			return nil, err
		}
	}
	f := &umapFit{epochs: u.Epochs, rate: u.Rate}
	f.model = UMAPModel{Graph: *graph, Data: data, Neighbors: u.Neighbors, Negatives: u.Negatives, Repulsion: u.Repulsion, Rate: u.Rate, Seed: u.Seed}
	f.model.Metric, f.model.Exponent, f.model.metric = nameOf(u.Metric)
	f.model.A, f.model.B = fitCurve(u.Spread, u.MinDist)
	f.layout, err = newLayout(ctx, visible, start, f.model.A, f.model.B, u.Repulsion, u.Negatives, u.Seed)
	return f, err
}

// defaults checks the options for n rows and puts in what zeros stand for.
func (u UMAP) defaults(n int) (UMAP, error) {
	if n < 2 {
		return u, ml.BadShape(umapName, "there is one row, want at least 2")
	}
	k, err := components(umapName, u.Components, n)
	if err != nil {
		return u, err
	}
	switch {
	case u.Neighbors != 0 && (u.Neighbors < 2 || u.Neighbors > n):
		return u, ml.BadParameter(umapName, "Neighbors", u.Neighbors, sprintf("0 (for 15), or 2 ≤ Neighbors ≤ n = %d: the point itself counts", n))
	case !(u.Spread >= 0) || math.IsInf(u.Spread, 1):
		return u, ml.BadParameter(umapName, "Spread", u.Spread, "0 (for 1) or a positive number")
	case u.MinDist-u.MinDist != 0 || u.MinDist > cmp.Or(u.Spread, 1):
		return u, ml.BadParameter(umapName, "MinDist", u.MinDist, "0 (for 0.1), negative (for 0), or a number up to Spread")
	case u.Epochs < 0:
		return u, ml.BadParameter(umapName, "Epochs", u.Epochs, "0 (for 4,000,000/n between 240 and 1000) or more")
	case !(u.Rate >= 0) || math.IsInf(u.Rate, 1):
		return u, ml.BadParameter(umapName, "Rate", u.Rate, "0 (for 1) or a positive number")
	case !(u.Repulsion >= 0) || math.IsInf(u.Repulsion, 1):
		return u, ml.BadParameter(umapName, "Repulsion", u.Repulsion, "0 (for 1) or a positive number")
	}
	// Trustworthiness grows with epochs, slowly: with these, maps are as trustworthy as
	// umap-learn's after its 500 or, beyond 10,000 rows, 200.
	epochs := min(max(4_000_000/n, 240), 1000)
	u.Components, u.Neighbors, u.Epochs = k, cmp.Or(u.Neighbors, min(15, n)), cmp.Or(u.Epochs, epochs)
	u.Negatives, u.Rate, u.Repulsion, u.Spread = max(cmp.Or(u.Negatives, 5), 0), cmp.Or(u.Rate, 1), cmp.Or(u.Repulsion, 1), cmp.Or(u.Spread, 1)
	if u.MinDist == 0 {
		u.MinDist = min(0.1, u.Spread)
	}
	u.MinDist = max(u.MinDist, 0)
	return u, nil
}

// start is the spectral one, stirred a little, so that points at one place can part, in a frame
// from 0 to 10.
func (u UMAP) start(ctx context.Context, g *FuzzyGraph, x *mat.Dense) (*mat.Dense, error) {
	y, err := spectralStart(ctx, g, x, u.Components, u.Seed)
	if err != nil {
		return nil, err
	}
	r := rng.New(u.Seed, 5)
	n, k := y.Dims()
	for a := range k {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range n {
			v := y.At(i, a) + 1e-4*r.NormFloat64()
			y.Set(i, a, v)
			lo, hi = min(lo, v), max(hi, v)
		}
		for i := range n {
			y.Set(i, a, 10*(y.At(i, a)-lo)/(hi-lo))
		}
	}
	return y, nil
}

// step is an epoch; the rate falls from epoch to epoch.
func (f *umapFit) step(ctx context.Context) error {
	return f.layout.step(ctx, f.rate*(1-float64(f.epoch)/float64(f.epochs)))
}

func (f *umapFit) snapshot() (*UMAPModel, error) {
	m := f.model
	m.Embedding, m.Epoch = f.layout.embedding(), f.epoch
	for i, v := range m.Embedding.RawMatrix().Data {
		if v-v != 0 {
			_, k := m.Embedding.Dims()
			return nil, ml.NotFinite(umapName, "the place of row %d is %v after epoch %d: lower Rate or Repulsion, or scale Init", i/k, v, f.epoch)
		}
	}
	return &m, nil
}

// nameOf is how a model keeps a metric: by its name, and Minkowski's exponent; a caller's own as it
// is.
func nameOf(m distance.Metric) (name string, exponent float64, own distance.Metric) {
	switch m := m.(type) {
	case nil, distance.Euclidean:
		return "Euclidean", 0, nil
	case distance.Minkowski:
		return "Minkowski", m.R, nil
	case distance.Precomputed:
		return tableMetric, 0, nil
	}
	for name, named := range namedMetrics {
		if named == m {
			return name, 0, nil
		}
	}
	return "function", 0, m
}

var namedMetrics = map[string]distance.Metric{
	"Euclidean": distance.Euclidean{}, "SqEuclidean": distance.SqEuclidean{}, "Manhattan": distance.Manhattan{}, "Chebyshev": distance.Chebyshev{},
	"Hamming": distance.Hamming{}, "Cosine": distance.Cosine{}, "Correlation": distance.Correlation{},
}

// metricOf is the metric that nameOf named. The error is for a caller's own that did not survive a
// file.
func metricOf(method, name string, exponent float64, own distance.Metric) (distance.Metric, error) {
	if own != nil {
		return own, nil
	}
	if name == "Minkowski" {
		return distance.Minkowski{R: exponent}, nil
	}
	if m, ok := namedMetrics[name]; ok {
		return m, nil
	}
	return nil, ml.BadParameter(method, "Metric", name, "a metric of package distance: a function is not kept in a file, so that a model fitted with one can't place new points after Load")
}
