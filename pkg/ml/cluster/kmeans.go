package cluster

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// KMeans partitions the n rows of a matrix into K clusters by minimising the distortion
//
//	J = Σᵢ ‖xᵢ − μ(zᵢ)‖²
//
// over assignments z and centers μ (Lloyd, 1982). Bounds on distances skip most of the work
// (Hamerly, 2010), and what is left is done as matrix products; the result is the one that Lloyd's
// algorithm gives: a point goes to its nearest center, of equally near ones to the first, and a
// cluster that has lost all its points takes the point that is farthest from its center.
//
// One iteration costs O(nKd) at worst, memory O(nd + n). Of a *csr.Matrix, which stays sparse, an
// iteration costs O(K·NNZ), and the centers are what is dense. J never rises. The zero value with K
// set is ready to use.
type KMeans struct {
	K        int        // number of clusters, 1 ≤ K ≤ n
	Start    Start      // how centers are chosen at first; "" means GreedyPlusPlus
	Init     mat.Matrix // K×d centers to start from, instead of Start; there is one restart then
	Restarts int        // independent starts, the best is kept; 0 means 10
	MaxIter  int        // per start; 0 means 300
	Seed     uint64     // same seed, same result
}

// KMeansModel is a partition and its centers.
type KMeansModel struct {
	Centers    *mat.Dense // K×d, the means of the clusters
	Labels     []int      // length n, the cluster of each row, 0 to K-1
	Inertia    float64    // the distortion J, in squared units of the data
	Iterations int        // steps of the start that was kept
	Converged  bool       // no label changed in the last step, or only ties did
	Restart    int        // which start it was, from 0
}

func init() { ml.Register[KMeansModel]("cluster.KMeansModel") }

// Fit returns the best partition of Restarts starts. The error is ml.ErrParameter for K outside
// 1..n or another option out of range, ml.ErrNotFinite for a NaN or Inf in x (with its row and
// column), ml.ErrShape for an Init that does not fit, and ctx.Err(), along with the best partition
// so far, when ctx ends first.
func (k KMeans) Fit(ctx context.Context, x mat.Matrix) (*KMeansModel, error) {
	p, err := k.check(ctx, x)
	if err != nil {
		return nil, err
	}
	var best *KMeansModel
	least := math.Inf(1)
	for r := range k.restarts() {
		var last *step
		for s := range k.iterate(ctx, p, r) {
			last = s
		}
		if last != nil && last.inertia < least {
			best, least = last.model(p, r), last.inertia
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return best, err
	}
	return p.representable(best)
}

// Iterate runs one start of the algorithm and yields the model after every iteration; each model is
// a fresh value. The last one has Converged set, unless MaxIter came first.
func (k KMeans) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*KMeansModel, error] {
	return func(yield func(*KMeansModel, error) bool) {
		p, err := k.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *KMeansModel
		for s := range k.iterate(ctx, p, 0) {
			last = s.model(p, 0)
			if _, err := p.representable(last); err != nil {
				yield(nil, err)
				return
			}
			if !yield(last, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

// Predict returns the nearest center of each row of x: on the data of a fit that converged, its
// Labels. The cost is O(nKd).
func (m *KMeansModel) Predict(x mat.Matrix) ([]int, error) {
	const method = "cluster.KMeansModel.Predict"
	if sparse, ok := x.(*csr.Matrix); ok {
		return m.predictSparse(method, sparse)
	}
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	_, d := m.Centers.Dims()
	if err := ml.Columns(method, y, d); err != nil {
		return nil, err
	}
	// Moved by the centers' mean, and not by the rows': a row's label must not depend on the other
	// rows.
	p := centerAt(context.Background(), y, m.Centers, m.Centers)
	n, _ := y.Dims()
	labels := make([]int, n)
	_ = newAssignment(p, p.shifted(m.Centers), labels).all(context.Background())
	return labels, nil
}

// Transform returns the n×K distances from each row of x to each center.
func (m *KMeansModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	const method = "cluster.KMeansModel.Transform"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	k, d := m.Centers.Dims()
	if err := ml.Columns(method, y, d); err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out := mat.NewDense(n, k, nil)
	_ = parallel.For(context.Background(), n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := out.RawRowView(i)
			for j := range row {
				row[j] = distance.Euclidean{}.Distance(y.RawRowView(i), m.Centers.RawRowView(j))
			}
		}
	})
	return out, nil
}

func (k KMeans) check(ctx context.Context, x mat.Matrix) (*points, error) {
	const method = "cluster.KMeans"
	sparse, isSparse := x.(*csr.Matrix)
	prepare := func(init *mat.Dense) (*points, error) { return sparsePoints(ctx, method, sparse, init) }
	if !isSparse {
		y, err := ml.Dense(method, x)
		if err != nil {
			return nil, err
		}
		prepare = func(init *mat.Dense) (*points, error) { return center(ctx, y, init), ctx.Err() }
	}
	n, d, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	if err := checkK(method, k.K, n); err != nil {
		return nil, err
	}
	switch {
	case k.Restarts < 0:
		return nil, ml.BadParameter(method, "Restarts", k.Restarts, "0 (for 10) or more")
	case k.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", k.MaxIter, "0 (for 300) or more")
	case !k.Start.valid():
		return nil, ml.BadParameter(method, "Start", k.Start, "one of "+startNames)
	}
	if k.Init == nil {
		return prepare(nil)
	}
	init, err := ml.Dense(method+": Init", k.Init)
	if err != nil {
		return nil, err
	}
	if r, c := init.Dims(); r != k.K || c != d {
		return nil, ml.BadShape(method, "Init is %d×%d, want K×d = %d×%d", r, c, k.K, d)
	}
	p, err := prepare(init)
	if err != nil {
		return nil, err
	}
	p.init = p.shifted(init)
	return p, nil
}

func (k KMeans) restarts() int {
	if k.Init != nil {
		return 1
	}
	return cmp.Or(k.Restarts, 10)
}

// step is the state after an iteration. Its slices are the iteration's own and change in the next:
// model copies them.
type step struct {
	centers   *mat.Dense // of the points as shifted and scaled
	labels    []int
	inertia   float64
	iteration int
	converged bool
}

// iterate is Lloyd's algorithm from start r: assign, update, until no label changes. Each step
// yields the means of the partition and their distortion.
func (k KMeans) iterate(ctx context.Context, p *points, r int) iter.Seq[*step] {
	if p.sparse != nil {
		return k.iterateSparse(ctx, p, r)
	}
	return func(yield func(*step) bool) {
		labels := make([]int, p.n)
		a := newAssignment(p, nil, labels)
		if p.init != nil {
			a.centers = mat.DenseCopyOf(p.init)
			if a.all(ctx) != nil {
				return
			}
		} else {
			a.centers = k.Start.choose(ctx, p, k.K, rng.New(k.Seed, r), a)
			if ctx.Err() != nil {
				return
			}
		}
		before := math.Inf(1)
		for i := 1; i <= cmp.Or(k.MaxIter, 300); i++ {
			if a.update(ctx) != nil {
				return
			}
			inertia, err := a.inertia(ctx)
			if err != nil {
				return
			}
			// The labels that go with the inertia are those before the move, which a keeps in
			// previous.
			s := &step{centers: a.centers, labels: a.previous, inertia: inertia, iteration: i}
			moved, err := a.move(ctx)
			// J falls with every step that changes more than ties do: points that lie equally near
			// to two centers, or on one of two that coincide, could change sides for ever.
			s.converged = err == nil && (moved == 0 || s.inertia >= before)
			s.inertia = min(s.inertia, before) // what is above is rounding
			if !yield(s) || s.converged || err != nil {
				return
			}
			before = s.inertia
		}
	}
}

func (s *step) model(p *points, r int) *KMeansModel {
	labels := make([]int, len(s.labels))
	copy(labels, s.labels)
	return &KMeansModel{Centers: p.unshifted(s.centers), Labels: labels, Inertia: p.unscaled(s.inertia), Iterations: s.iteration, Converged: s.converged, Restart: r}
}

// checkK is the condition that every method with a number of clusters shares.
func checkK(method string, k, n int) error {
	if k < 1 || k > n {
		return ml.BadParameter(method, "K", k, sprintf("1 ≤ K ≤ n = %d, the number of rows", n))
	}
	return nil
}
