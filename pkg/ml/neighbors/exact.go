package neighbors

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// KNN finds the K nearest rows of each row, exactly.
//
// For the Euclidean distance (its square, the cosine and the correlation, which order rows alike)
// the rows are laid into a tree of balls. A leaf of rows is compared with another as one matrix
// product, and not at all where the triangle inequality shows it to be too far; whatever the
// product finds near is measured again from the differences, so that a result has all its digits.
// It costs O(n²d) at worst and much less where the data has few dimensions or lies in clumps. Any
// other metric is computed for all pairs, and so are sparse rows (*csr.Matrix), which stay sparse
// where the metric is distance.Sparse.
type KNN struct {
	K      int             // neighbors of a row, itself not counted, 1 ≤ K < n
	Metric distance.Metric // nil means Euclidean
}

// Within finds all rows within a distance of each row, as KNN does.
type Within struct {
	Radius float64         // at most this far, > 0
	Metric distance.Metric // nil means Euclidean
}

// Fit returns the K nearest other rows of each row of x (n×d). The errors are those of ml.Dense,
// ml.ErrParameter for K outside 1..n−1, what the metric can't measure, and ctx.Err().
func (k KNN) Fit(ctx context.Context, x mat.Matrix) (*Graph, error) {
	const method = "neighbors.KNN"
	rows, err := input(method, x, k.Metric)
	if err != nil {
		return nil, err
	}
	if n, _ := rows.Dims(); k.K < 1 || k.K >= n {
		return nil, ml.BadParameter(method, "K", k.K, fmt.Sprintf("1 ≤ K < n = %d, the number of rows", n))
	}
	return find(ctx, method, rows, nil, k.Metric, limit{k: k.K, radius: math.Inf(1)})
}

// Query returns the K nearest rows of x (n×d) for each row of y (m×d), 1 ≤ K ≤ n; a row of y that
// is also one of x finds itself.
func (k KNN) Query(ctx context.Context, x, y mat.Matrix) (*Graph, error) {
	const method = "neighbors.KNN.Query"
	rows, err := input(method, x, k.Metric)
	if err != nil {
		return nil, err
	}
	queries, err := input(method, y, k.Metric)
	if err != nil {
		return nil, err
	}
	n, d := rows.Dims()
	if _, c := queries.Dims(); c != d {
		return nil, ml.BadShape(method, "y has %d columns and x has %d, want as many", c, d)
	}
	if k.K < 1 || k.K > n {
		return nil, ml.BadParameter(method, "K", k.K, fmt.Sprintf("1 ≤ K ≤ n = %d, the number of rows of x", n))
	}
	return find(ctx, method, rows, queries, k.Metric, limit{k: k.K, radius: math.Inf(1)})
}

// Fit returns for each row of x (n×d) the other rows within Radius, which may be none or all of
// them. The errors are those of KNN.Fit, with ml.ErrParameter for a Radius that is not a positive
// number.
func (w Within) Fit(ctx context.Context, x mat.Matrix) (*Graph, error) {
	const method = "neighbors.Within"
	rows, err := input(method, x, w.Metric)
	if err != nil {
		return nil, err
	}
	if !(w.Radius > 0) || math.IsInf(w.Radius, 1) {
		return nil, ml.BadParameter(method, "Radius", w.Radius, "a positive number")
	}
	n, _ := rows.Dims()
	return find(ctx, method, rows, nil, w.Metric, limit{k: n, radius: w.Radius})
}

// limit is what a search asks for: the k nearest of those within the radius.
type limit struct {
	k      int
	radius float64
}

// input checks rows. Sparse ones stay what they are where the metric can measure them.
func input(method string, x mat.Matrix, metric distance.Metric) (mat.Matrix, error) {
	if m, ok := x.(*csr.Matrix); ok && distance.Sparse(metric) {
		if _, _, err := ml.Size(method, m); err != nil {
			return nil, err
		}
		return m, m.Check(method)
	}
	return ml.Dense(method, x)
}

// find searches x for the rows near to those of y, or, where y is nil, near to its own.
func find(ctx context.Context, method string, x, y mat.Matrix, metric distance.Metric, want limit) (*Graph, error) {
	of := x
	if y != nil {
		of = y
	}
	n, _ := of.Dims()
	lists := make([]list, n)
	points, isDense := x.(*mat.Dense)
	queries, areDense := y.(*mat.Dense)
	tree := isDense && (areDense || y == nil)
	switch metric.(type) {
	case nil, distance.Euclidean, distance.SqEuclidean, distance.Cosine, distance.Correlation:
	default:
		tree = false
	}
	var err error
	if tree {
		err = byTree(ctx, method, points, queries, metric, want, lists)
	} else {
		err = byTable(ctx, method, x, y, metric, want, lists)
	}
	if err != nil {
		return nil, err
	}
	return graphOf(ctx, lists)
}

func graphOf(ctx context.Context, lists []list) (*Graph, error) {
	n := len(lists)
	g := &Graph{Start: make([]int, n+1)}
	for i, l := range lists {
		g.Start[i+1] = g.Start[i] + len(l.near)
	}
	g.Index = make([]int, g.Start[n])
	if err := ctx.Err(); err != nil { // to clear memory for millions takes a while
		return nil, err
	}
	g.Distance = make([]float64, g.Start[n])
	err := parallel.For(ctx, n, manyRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			rows, d := g.Of(i)
			for k, c := range lists[i].near {
				rows[k], d[k] = c.row, c.d
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// candidate is a row and its distance, or what orders rows alike.
type candidate struct {
	d   float64
	row int
}

func nearer(a, b candidate) int {
	switch {
	case a.d < b.d:
		return -1
	case a.d > b.d:
		return 1
	}
	return a.row - b.row
}

// list holds the nearest candidates so far: a heap with the farthest on top once there are k,
// sorted at the end.
type list struct{ near []candidate }

// offer takes a candidate in if it is among the k nearest so far.
func (l *list) offer(c candidate, k int) {
	if len(l.near) < k {
		l.near = append(l.near, c)
		if len(l.near) == k {
			for i := k/2 - 1; i >= 0; i-- {
				l.sift(i)
			}
		}
		return
	}
	if nearer(c, l.near[0]) < 0 {
		l.near[0] = c
		l.sift(0)
	}
}

func (l *list) sift(i int) {
	h := l.near
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && nearer(h[child], h[child+1]) < 0 {
			child++
		}
		if nearer(h[child], h[i]) <= 0 {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// farthest is the distance beyond which nothing is wanted.
func (l *list) farthest(want limit) float64 {
	if len(l.near) < want.k {
		return math.Inf(1)
	}
	return l.near[0].d
}

// byTable computes all distances, a row at a time.
func byTable(ctx context.Context, method string, x, y mat.Matrix, metric distance.Metric, want limit, lists []list) error {
	var other mat.Matrix
	first := x
	if y != nil {
		first, other = y, x
	}
	between, err := distance.NewRows(metric, first, other)
	if err != nil {
		return err
	}
	_, n := between.Dims()
	bad := make([]error, len(lists))
	err = parallel.For(ctx, len(lists), 1, func(i, _, _ int) {
		var d [256]float64
		for lo := 0; lo < n && ctx.Err() == nil; lo += len(d) {
			part := d[:min(len(d), n-lo)]
			between.From(part, i, lo)
			for k, v := range part {
				if v-v != 0 {
					bad[i] = ml.NotFinite(method, "the distance between rows %d and %d is %v, want a number", i, lo+k, v)
					return
				}
				if v <= want.radius && (y != nil || lo+k != i) {
					lists[i].offer(candidate{v, lo + k}, want.k)
				}
			}
		}
		slices.SortFunc(lists[i].near, nearer)
	})
	for _, b := range bad {
		if b != nil {
			return b
		}
	}
	return err
}
