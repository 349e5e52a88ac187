package cluster

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// Spectral clustering cuts a graph of similarities where few and weak edges are cut. With the
// weights W and the degrees D the graph's Laplacian is L = D − W. Relaxed from indicators of
// clusters to real vectors, the best cut into K parts is spanned by the eigenvectors of the K
// smallest eigenvalues; each row becomes the point of its K entries, and k-means partitions these
// points (Shi & Malik, 2000; Ng, Jordan & Weiss, 2002; von Luxburg, 2007).
//
// A few outliers hang on by so little that cutting them off is the cheapest cut of all. Regularize
// adds a small constant to every entry of W, which makes such cuts expensive (Amini, Chen, Bickel &
// Levina, 2013; Joseph & Yu, 2016).
//
// The eigenvectors of a graph in several parts that are known beforehand, one a part, are written
// down and not computed. A step of the iteration for the rest costs O(edges·K); small gaps between
// eigenvalues take more steps. Where the graph has K parts or more, it is these that are
// partitioned.
type Spectral struct {
	K           int        // number of clusters, 1 ≤ K ≤ n
	Graph       Similarity // nil means NearestNeighbors{K: 10}
	Laplacian   Laplacian  // "" means RandomWalk
	Regularize  float64    // τ ≥ 0: τ/n is added to every weight; the mean degree is a good choice (Qin & Rohe, 2013)
	Eigenvalues int        // how many of the smallest to return, to look for a gap; fewer than K means K
	Restarts    int        // of k-means; 0 means 10
	Seed        uint64     // same seed, same result
}

// Laplacian names the form of the graph's Laplacian whose eigenvectors are used.
type Laplacian string

const (
	RandomWalk   Laplacian = "random walk"  // I − D⁻¹W: its eigenvectors relax the normalized cut (Shi & Malik)
	Symmetric    Laplacian = "symmetric"    // I − D^-½WD^-½, rows of the embedding scaled to length 1 (Ng, Jordan & Weiss)
	Unnormalized Laplacian = "unnormalized" // D − W: relaxes the ratio cut, which counts nodes and not edges
)

// SpectralModel is a partition of a graph's nodes and what it was found in.
type SpectralModel struct {
	Labels      []int      // length n, 0 to K−1
	Eigenvalues []float64  // of the Laplacian, ascending from 0; the number of zeros is the number of components
	Embedding   *mat.Dense // n×K, or n×Components where there are more of them: what k-means saw
	Components  int        // connected components of the graph
	Inertia     float64    // of k-means in the embedding
	Residual    float64    // largest ‖Lv−λv‖ over the largest eigenvalue there can be
	Converged   bool       // Residual is at most 1e-8
}

func init() { ml.Register[SpectralModel]("cluster.SpectralModel") }

// Fit builds the graph of the rows of x and partitions it; an *Adjacency is a graph already, and
// the option Graph is not used. The errors are those of ml.Dense and of the graph, ml.ErrParameter
// for an option out of range, and ctx.Err(); there is no partition before the end, so none comes
// with it.
func (s Spectral) Fit(ctx context.Context, x mat.Matrix) (*SpectralModel, error) {
	a, ok := x.(*Adjacency)
	if !ok {
		if _, isSparse := x.(*csr.Matrix); !isSparse { // which the graph checks, and need not make dense
			dense, err := ml.Dense("cluster.Spectral", x)
			if err != nil {
				return nil, err
			}
			x = dense
		}
		n, _, err := ml.Size("cluster.Spectral", x)
		if err != nil {
			return nil, err
		}
		if err := s.check(n); err != nil {
			return nil, err
		}
		graph := s.Graph
		if graph == nil {
			graph = NearestNeighbors{}
		}
		if a, err = graph.Graph(ctx, x); err != nil {
			return nil, err
		}
	}
	if err := a.check("cluster.Spectral"); err != nil {
		return nil, err
	}
	n := a.Len()
	if err := s.check(n); err != nil {
		return nil, err
	}
	l := newLaplacian(a, s.Laplacian, s.Regularize)
	m := &SpectralModel{Components: len(l.null)}
	r, err := l.smallest(ctx, min(max(s.K, s.Eigenvalues), n), s.Seed)
	if err != nil {
		return nil, err
	}
	m.Eigenvalues, m.Residual, m.Converged = r.Values, r.Residual, r.Converged
	m.Embedding = l.embedding(r.Vectors, s.K)
	km, err := KMeans{K: s.K, Restarts: s.Restarts, Seed: s.Seed}.Fit(ctx, m.Embedding)
	if err != nil {
		return nil, err
	}
	m.Labels, m.Inertia = km.Labels, km.Inertia
	return m, nil
}

func (s Spectral) check(n int) error {
	const method = "cluster.Spectral"
	if err := checkK(method, s.K, n); err != nil {
		return err
	}
	switch {
	case s.Laplacian != "" && s.Laplacian != RandomWalk && s.Laplacian != Symmetric && s.Laplacian != Unnormalized:
		return ml.BadParameter(method, "Laplacian", s.Laplacian, fmt.Sprintf("%q, %q or %q", RandomWalk, Symmetric, Unnormalized))
	case !(s.Regularize >= 0) || math.IsInf(s.Regularize, 1):
		return ml.BadParameter(method, "Regularize", s.Regularize, "0 or a positive number")
	case s.Eigenvalues < 0 || s.Eigenvalues > n:
		return ml.BadParameter(method, "Eigenvalues", s.Eigenvalues, sprintf("0 ≤ Eigenvalues ≤ n = %d", n))
	case s.Restarts < 0:
		return ml.BadParameter(method, "Restarts", s.Restarts, "0 (for 10) or more")
	}
	return nil
}

// laplacian is the graph's Laplacian as an operator: symmetric, also for RandomWalk, whose
// eigenvectors are those of Symmetric over √degree.
type laplacian struct {
	weights   *csr.Matrix // divided by the roots of both degrees, unless unnormalized
	kind      Laplacian
	diagonal  []float64
	root      []float64   // √degree, 1 where it is 0
	constant  float64     // τ/n
	upper     float64     //
	null      [][]float64 // orthonormal eigenvectors of 0, one a component
	component []int
}

func newLaplacian(a *Adjacency, kind Laplacian, tau float64) *laplacian {
	n := a.Len()
	l := &laplacian{weights: &a.Matrix, kind: kind, diagonal: a.Degrees(), root: make([]float64, n), constant: tau / float64(n)}
	count := 1
	l.component = make([]int, n)
	if tau == 0 {
		l.component, count = a.Components()
	}
	for i := range n {
		l.diagonal[i] += tau
		l.upper = max(l.upper, 2*l.diagonal[i])
		l.root[i] = math.Sqrt(l.diagonal[i])
		if l.root[i] == 0 {
			l.root[i] = 1
		}
	}
	if kind != Unnormalized {
		l.upper = 2
		l.weights = a.Map(func(i, j int, w float64) float64 { return w / l.root[i] / l.root[j] })
		for i := range n {
			l.diagonal[i] = min(l.diagonal[i], 1) // of a node without edges it stays 0
			if l.diagonal[i] > 0 {
				l.diagonal[i] = 1
			}
		}
	}
	l.upper = max(l.upper, math.SmallestNonzeroFloat64)
	l.null = make([][]float64, count)
	for c := range l.null {
		l.null[c] = make([]float64, n)
	}
	for i, c := range l.component {
		l.null[c][i] = 1
		if kind != Unnormalized {
			l.null[c][i] = l.root[i]
		}
	}
	for _, v := range l.null {
		norm := mat.Norm(mat.NewVecDense(n, v), 2)
		for i := range v {
			v[i] /= norm
		}
	}
	return l
}

func (l *laplacian) Dim() int       { return len(l.diagonal) }
func (l *laplacian) Upper() float64 { return l.upper }

// Apply is the product with a few vectors side by side.
func (l *laplacian) Apply(dst, src []float64, width int) {
	n := l.Dim()
	constant := make([]float64, width) // Σⱼ of what the added constant brings to all rows
	if l.constant > 0 {
		for j := range n {
			blas.Axpy(l.constant/l.weightOf(j), src[j*width:(j+1)*width], constant)
		}
	}
	_ = parallel.For(context.Background(), n, 512, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := dst[i*width : (i+1)*width]
			for k, v := range src[i*width : (i+1)*width] {
				row[k] = l.diagonal[i] * v
			}
			columns, weights := l.weights.Of(i)
			for k, j := range columns { // rows of a few numbers, for which a call costs more than the sum
				w := weights[k]
				for c, v := range src[j*width : (j+1)*width] {
					row[c] -= w * v
				}
			}
			if l.constant > 0 {
				blas.Axpy(-1/l.weightOf(i), constant, row)
			}
		}
	})
}

// weightOf is what a weight is divided by for one of its ends.
func (l *laplacian) weightOf(i int) float64 {
	if l.kind == Unnormalized {
		return 1
	}
	return l.root[i]
}

// smallest returns eigenpairs, those of 0 first, as they are known.
func (l *laplacian) smallest(ctx context.Context, count int, seed uint64) (eigen.Result, error) {
	known := min(len(l.null), count)
	out := eigen.Result{Values: make([]float64, known, count), Vectors: l.null, Converged: true}
	if known == count {
		return out, ctx.Err()
	}
	rest, err := eigen.Smallest(ctx, l, count-known, l.null, seed)
	if err != nil {
		return out, err
	}
	out.Residual, out.Converged = rest.Residual, rest.Converged
	for k, v := range rest.Vectors {
		out.Values, out.Vectors = append(out.Values, max(rest.Values[k], 0)), append(out.Vectors, v)
	}
	return out, nil
}

// embedding is what k-means sees: a point a node, in units in which the entries are about 1.
func (l *laplacian) embedding(vectors [][]float64, k int) *mat.Dense {
	n := l.Dim()
	if c := len(l.null); c >= k {
		// Each component is one point. A unit of length for all of them leaves k-means to merge
		// small ones.
		e := mat.NewDense(n, c, nil)
		for i, c := range l.component {
			e.Set(i, c, 1)
		}
		return e
	}
	scale := math.Sqrt(float64(n))
	if l.kind != Unnormalized {
		scale = mat.Norm(mat.NewVecDense(n, l.root), 2)
	}
	e := mat.NewDense(n, k, nil)
	for i := range n {
		row := e.RawRowView(i)
		for c := range row {
			row[c] = vectors[c][i] * scale
			if l.kind == RandomWalk || l.kind == "" {
				row[c] /= l.root[i]
			}
		}
		if l.kind == Symmetric {
			if norm := mat.Norm(mat.NewVecDense(k, row), 2); norm > 0 {
				for c := range row {
					row[c] /= norm
				}
			}
		}
	}
	return e
}
