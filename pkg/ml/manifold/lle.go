package manifold

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	gonum "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// LLE, locally linear embedding, keeps how each point is made of its neighbors (Roweis & Saul,
// 2000). With the weights W, of sum 1, that best rebuild each row from its Neighbors nearest ones,
// it finds the map of unit covariance whose points are rebuilt best by the same weights:
//
//	Σᵢ ‖yᵢ − Σⱼ wᵢⱼyⱼ‖² = tr Yᵀ(I−W)ᵀ(I−W)Y
//
// is least for the eigenvectors of the smallest eigenvalues but the first, which is 0 and belongs
// to the constant. More neighbors than dimensions leave the weights undetermined: they are
// regularized, at the price of distortion. Modified takes for each point several weight vectors
// that rebuild it nearly equally well (Zhang & Wang, 2007), and has little of that distortion.
//
// Neither keeps lengths: the scales of the axes are lost. The cost is O(n·Neighbors³) for the
// weights and O(n·b²) for the eigenvectors, b being the bandwidth of the matrix after its rows are
// ordered along the graph: small for a surface, near n for data of many dimensions.
type LLE struct {
	Components     int             // dimensions of the map, at most n−1 and Neighbors; 0 means 2
	Neighbors      int             // of each point, below n; 0 means 10, or n−1 where that is less
	Modified       bool            // several weight vectors for each point
	Regularization float64         // added to the diagonal of a local covariance, times its trace; 0 means 1e-3
	Metric         distance.Metric // by which neighbors are chosen; nil means Euclidean
	Seed           uint64          // of the eigenvalue iteration's start: it does not show beyond rounding
}

// LLEModel is a map by locally linear embedding.
type LLEModel struct {
	Embedding           *mat.Dense // n×Components, columns of mean 0 and variance 1, uncorrelated
	Eigenvalues         []float64  // of the matrix, ascending, without the first, which is 0
	ReconstructionError float64    // their sum
	Converged           bool       // of the eigenvalue iteration
	Neighbors           int        // as asked
	Regularization      float64    // as asked, or its default
	Data                *mat.Dense // a copy of the rows, which Transform measures to; nil where the fit was by another metric than Euclid's
}

func init() { ml.Register[LLEModel]("manifold.LLEModel") }

const lleName = "manifold.LLE"

// Fit maps the rows of x (n×d). The errors are those of ml.Dense, ml.ErrParameter for an option out
// of range and for Neighbors that leave the graph in parts, what the metric can't measure, and
// ctx.Err(); there is no map before the end.
func (l LLE) Fit(ctx context.Context, x mat.Matrix) (*LLEModel, error) {
	dense, err := ml.Dense(lleName, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	count, err := checkNeighbors(lleName, l.Neighbors, n)
	if err != nil {
		return nil, err
	}
	k, err := components(lleName, l.Components, min(n-1, count))
	if err != nil {
		return nil, err
	}
	if !(l.Regularization >= 0) || math.IsInf(l.Regularization, 1) {
		return nil, ml.BadParameter(lleName, "Regularization", l.Regularization, "0 (for 1e-3) or a positive number")
	}
	g, err := neighbors.KNN{K: count, Metric: l.Metric}.Fit(ctx, dense)
	if err != nil {
		return nil, err
	}
	if _, parts := g.Components(); parts > 1 {
		return nil, ml.BadParameter(lleName, "Neighbors", count, sprintf("enough to join all rows: the graph falls into %d parts, of which each would be one point of the map", parts))
	}
	y, _ := scaling.InRange(dense)
	m := &LLEModel{Neighbors: count, Regularization: cmp.Or(l.Regularization, 1e-3)}
	var a *banded
	if l.Modified {
		a, err = l.modified(ctx, y, g, k)
	} else {
		a, err = l.standard(ctx, y, g, m.Regularization)
	}
	if err != nil {
		return nil, err
	}
	vectors, err := a.smallest(ctx, k, l.Seed, m)
	if err != nil {
		return nil, err
	}
	m.Embedding = mat.NewDense(n, k, nil)
	for c, v := range vectors {
		for i, u := range v {
			m.Embedding.Set(i, c, u*math.Sqrt(float64(n)))
		}
	}
	if _, euclidean := l.Metric.(distance.Euclidean); euclidean || l.Metric == nil {
		m.Data = mat.DenseCopyOf(dense)
	}
	return m, nil
}

// Transform maps new rows x (m×d): each is rebuilt from its nearest rows of the fit, and its point
// from theirs by the same weights (Saul & Roweis, 2003). The errors are those of ml.Dense,
// ml.ErrShape for another number of columns, ml.ErrParameter where the fit was by another metric
// than Euclid's, and ctx.Err().
func (m *LLEModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	g, err := queryNeighbors(ctx, "manifold.LLEModel.Transform", m.Data, x, m.Neighbors)
	if err != nil {
		return nil, err
	}
	dense, err := ml.Dense("manifold.LLEModel.Transform", x)
	if err != nil {
		return nil, err
	}
	// Both in one scale.
	n, d := m.Data.Dims()
	both := mat.NewDense(n+g.Len(), d, nil)
	both.Stack(m.Data, dense)
	tame, _ := scaling.InRange(both)
	_, k := m.Embedding.Dims()
	out := mat.NewDense(g.Len(), k, nil)
	err = parallel.For(ctx, g.Len(), 32, func(_, lo, hi int) {
		var w weighing
		for i := lo; i < hi; i++ {
			near, _ := g.Of(i)
			for j, v := range w.rebuild(tame, n+i, near, m.Regularization) {
				blas.Axpy(v, m.Embedding.RawRowView(near[j]), out.RawRowView(i))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// weighing is the room in which a row's weights are computed.
type weighing struct{ gaps, gram, w []float64 }

// local sets gaps to the neighbors of a row relative to it, K×d, and gram to their inner products,
// K×K.
func (w *weighing) local(x *mat.Dense, i int, near []int) {
	k := len(near)
	_, d := x.Dims()
	if len(w.gaps) != k*d {
		w.gaps, w.gram, w.w = make([]float64, k*d), make([]float64, k*k), make([]float64, k)
	}
	at := x.RawRowView(i)
	for l, j := range near {
		gap := w.gaps[l*d : (l+1)*d]
		for c, v := range x.RawRowView(j) {
			gap[c] = v - at[c]
		}
	}
	for l := range k {
		for m := range l + 1 {
			v := blas.Dot(w.gaps[l*d:(l+1)*d], w.gaps[m*d:(m+1)*d])
			w.gram[l*k+m], w.gram[m*k+l] = v, v
		}
	}
}

// rebuild returns the weights, of sum 1, that best rebuild row i of x from others, regularized: the
// solution of (G + r·tr(G)·I)w ∝ 1.
func (w *weighing) rebuild(x *mat.Dense, i int, near []int, r float64) []float64 {
	w.local(x, i, near)
	k, trace := len(near), 0.0
	for l := range k {
		trace += w.gram[l*k+l]
	}
	if trace == 0 { // all neighbors are where the row is
		trace = 1
	}
	for l := range k {
		w.gram[l*k+l] += r * trace
		w.w[l] = 1
	}
	// Cholesky in place, then both triangular systems. Regularized, the matrix is positive
	// definite.
	for l := range k {
		for m := range l + 1 {
			s := w.gram[l*k+m]
			for c := range m {
				s -= w.gram[l*k+c] * w.gram[m*k+c]
			}
			if l == m {
				w.gram[l*k+l] = math.Sqrt(max(s, 1e-300))
			} else {
				w.gram[l*k+m] = s / w.gram[m*k+m]
			}
		}
	}
	for l := range k {
		for c := range l {
			w.w[l] -= w.gram[l*k+c] * w.w[c]
		}
		w.w[l] /= w.gram[l*k+l]
	}
	sum := 0.0
	for l := k - 1; l >= 0; l-- {
		for c := l + 1; c < k; c++ {
			w.w[l] -= w.gram[c*k+l] * w.w[c]
		}
		w.w[l] /= w.gram[l*k+l]
		sum += w.w[l]
	}
	for l := range w.w {
		w.w[l] /= sum
	}
	return w.w
}

// standard is the matrix (I−W)ᵀ(I−W): the sum over rows of products of one vector, which is 1 at
// the row and −w at its neighbors.
func (l LLE) standard(ctx context.Context, x *mat.Dense, g *neighbors.Graph, r float64) (*banded, error) {
	n := g.Len()
	a, err := newBanded(g)
	if err != nil {
		return nil, err
	}
	weights := make([]float64, len(g.Index))
	if err := parallel.For(ctx, n, 64, func(_, lo, hi int) {
		var w weighing
		for i := lo; i < hi; i++ {
			near, _ := g.Of(i)
			copy(weights[g.Start[i]:], w.rebuild(x, i, near, r))
		}
	}); err != nil {
		return nil, err
	}
	for i := range n {
		near, _ := g.Of(i)
		w := weights[g.Start[i]:g.Start[i+1]]
		a.add(i, i, 1)
		for p, j := range near {
			a.add(i, j, -w[p])
			for q, k := range near[:p+1] {
				a.add(j, k, w[p]*w[q])
			}
		}
	}
	return a, nil
}

// modified is the sum over rows of the products of several vectors (Zhang & Wang, 2007, section 4).
func (l LLE) modified(ctx context.Context, x *mat.Dense, g *neighbors.Graph, k int) (*banded, error) {
	n := g.Len()
	_, d := x.Dims()
	count := g.Start[1]
	rank := min(d, count)
	values, vectors, weights := make([][]float64, n), make([]*mat.Dense, n), make([][]float64, n)
	failed := make([]bool, n)
	if err := parallel.For(ctx, n, 16, func(_, lo, hi int) {
		var w weighing
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			near, _ := g.Of(i)
			w.local(x, i, near)
			var e mat.EigenSym
			if failed[i] = !e.Factorize(mat.NewSymDense(count, w.gram), true); failed[i] {
				continue
			}
			vectors[i] = new(mat.Dense)
			e.VectorsTo(vectors[i])
			ascending := e.Values(nil)
			// Largest first; what is 0 by its rank is 0.
			values[i] = make([]float64, count)
			total := 0.0
			for c := range rank {
				values[i][c] = max(ascending[count-1-c], 0)
				total += values[i][c]
			}
			// The regularized weights, in the basis of the eigenvectors.
			r := cmp.Or(l.Regularization, 1e-3) * total
			if total == 0 {
				r = 1
			}
			weights[i] = make([]float64, count)
			for c := range count {
				v := mat.Col(nil, count-1-c, vectors[i])
				sum := 0.0
				for _, u := range v {
					sum += u
				}
				blas.Axpy(sum/(values[i][c]+r), v, weights[i])
			}
			sum := 0.0
			for _, u := range weights[i] {
				sum += u
			}
			for c := range weights[i] {
				weights[i][c] /= sum
			}
		}
	}); err != nil {
		return nil, err
	}
	if slices.Contains(failed, true) {
		return nil, ml.NotFinite(lleName, "the local covariance of row %d has no eigenvalues", slices.Index(failed, true))
	}
	// η is the median over rows of what the values beyond the map's dimensions sum to, over what
	// those within do.
	shares := make([]float64, n)
	for i, v := range values {
		within, beyond := 0.0, 0.0
		for c, u := range v {
			if c < k {
				within += u
			} else {
				beyond += u
			}
		}
		if within > 0 {
			shares[i] = beyond / within
		}
	}
	slices.Sort(shares)
	eta := (shares[(n-1)/2] + shares[n/2]) / 2
	a, err := newBanded(g)
	if err != nil {
		return nil, err
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		near, _ := g.Of(i)
		s := nearlyNull(values[i][:rank], eta) + count - rank
		w := severalWeights(vectors[i], weights[i], max(s, 1))
		_, columns := w.Dims()
		a.add(i, i, float64(columns))
		for p, j := range near {
			sum := 0.0
			for _, v := range w.RawRowView(p) {
				sum += v
			}
			a.add(i, j, -sum)
			for q, m := range near[:p+1] {
				a.add(j, m, blas.Dot(w.RawRowView(p), w.RawRowView(q)))
			}
		}
	}
	return a, nil
}

// nearlyNull is how many of the smallest values, which are sorted from the largest down, sum to
// less than η times the others.
func nearlyNull(values []float64, eta float64) int {
	total := 0.0
	for _, v := range values {
		total += v
	}
	count, first := 0, 0.0
	for c := range len(values) - 1 {
		first += values[c]
		if first > 0 && total/first-1 < eta {
			count++
		}
	}
	return count
}

// severalWeights are the s columns V·H + (1−α)·w 1ᵀ: V the eigenvectors of the s smallest
// eigenvalues, which come first, and H the reflection that gives each column of VH the same sum α,
// so that each of the result sums to 1.
func severalWeights(vectors *mat.Dense, w []float64, s int) *mat.Dense {
	k := len(w)
	sums, norm := make([]float64, s), 0.0
	for c := range s {
		for i := range k {
			sums[c] += vectors.At(i, c)
		}
		norm += sums[c] * sums[c]
	}
	alpha := math.Sqrt(norm / float64(s))
	h, length := make([]float64, s), 0.0
	for c := range h {
		h[c] = alpha - sums[c]
		length += h[c] * h[c]
	}
	length = math.Sqrt(length)
	for c := range h {
		if length < 1e-12 {
			h[c] = 0
		} else {
			h[c] /= length
		}
	}
	out := mat.NewDense(k, s, nil)
	for i := range k {
		along := 0.0
		for c := range s {
			along += vectors.At(i, c) * h[c]
		}
		for c := range s {
			out.Set(i, c, vectors.At(i, c)-2*along*h[c]+(1-alpha)*w[i])
		}
	}
	return out
}

// banded is a symmetric matrix whose rows are ordered so that what is not zero lies near the
// diagonal. Row i, ordered, has its entries i to i+width.
type banded struct {
	n, width int
	place    []int // of each row in the order
	data     []float64
}

// newBanded lays out the matrix of a graph in which a row meets the neighbors of the rows whose
// neighbor it is, in the order of Cuthill & McKee (1969).
func newBanded(g *neighbors.Graph) (*banded, error) {
	n := g.Len()
	b := &banded{n: n, place: make([]int, n)}
	s := g.Symmetric(false)
	order := breadthFirst(s, 0)
	order = breadthFirst(s, order[len(order)-1]) // from one end of the graph to the other
	for at, i := range order {
		b.place[i] = at
	}
	for i := range n {
		near, _ := g.Of(i)
		first, last := b.place[i], b.place[i]
		for _, j := range near {
			first, last = min(first, b.place[j]), max(last, b.place[j])
		}
		b.width = max(b.width, last-first)
	}
	if float64(n)*float64(b.width+1) > 1<<29 {
		return nil, ml.BadShape(lleName, "the matrix of %d rows with bandwidth %d takes %.0f GiB, want at most 4: fewer rows, or fewer Neighbors", n, b.width, float64(n)*float64(b.width)*8/(1<<30))
	}
	b.data = make([]float64, n*(b.width+1))
	return b, nil
}

// breadthFirst orders the nodes of a connected graph by their distance in edges from one, those
// with fewer edges first.
func breadthFirst(g *neighbors.Graph, from int) []int {
	seen := make([]bool, g.Len())
	seen[from] = true
	order := append(make([]int, 0, g.Len()), from)
	for at := 0; at < len(order); at++ {
		near, _ := g.Of(order[at])
		begin := len(order)
		for _, j := range near {
			if !seen[j] {
				seen[j] = true
				order = append(order, j)
			}
		}
		slices.SortStableFunc(order[begin:], func(a, b int) int { return (g.Start[a+1] - g.Start[a]) - (g.Start[b+1] - g.Start[b]) })
	}
	return order
}

// add adds v at rows i and j, in both triangles of which one is kept.
func (b *banded) add(i, j int, v float64) {
	p, q := b.place[i], b.place[j]
	if p > q {
		p, q = q, p
	}
	b.data[p*(b.width+1)+q-p] += v
}

// smallest returns the eigenvectors of the k smallest eigenvalues that are orthogonal to the
// constant, which is one of eigenvalue 0, by inverse iteration of a block with the Cholesky factor
// of the matrix.
func (b *banded) smallest(ctx context.Context, k int, seed uint64, m *LLEModel) ([][]float64, error) {
	n := b.n
	factor := blas64.SymmetricBand{Uplo: gonum.Upper, N: n, K: b.width, Stride: b.width + 1, Data: slices.Clone(b.data)}
	trace := b.Upper()
	// The matrix is singular. The shift is far below the eigenvalues looked for, and above what
	// rounding makes of 0.
	for i := range n {
		factor.Data[i*(b.width+1)] += 1e-13 * trace / float64(n) * float64(1+b.width/64)
	}
	var triangle blas64.TriangularBand
	definite := false
	if err := parallel.Abandon(ctx, func() { triangle, definite = lapack64.Pbtrf(factor) }); err != nil {
		return nil, err
	}
	if !definite {
		return nil, ml.NotFinite(lleName, "the matrix of weights is not positive semidefinite to rounding: raise Regularization, or scale the data")
	}
	constant := slices.Repeat([]float64{1 / math.Sqrt(float64(n))}, n)
	r, err := eigen.SmallestInverse(ctx, b, func(v []float64) {
		lapack64.Pbtrs(triangle, blas64.General{Rows: n, Cols: 1, Stride: 1, Data: v})
	}, k, [][]float64{constant}, seed, 1e-18*trace/float64(n))
	if err != nil {
		return nil, err
	}
	m.Converged = r.Converged
	out := make([][]float64, k)
	for c, v := range r.Vectors {
		if r.Values[c]-r.Values[c] != 0 {
			return nil, ml.NotFinite(lleName, "the eigenvalues are not finite: scale the data")
		}
		out[c] = make([]float64, n)
		for i := range n {
			out[c][i] = v[b.place[i]]
		}
		eigen.SetSign(out[c])
		m.Eigenvalues = append(m.Eigenvalues, max(r.Values[c], 0))
		m.ReconstructionError += m.Eigenvalues[c]
	}
	return out, nil
}

// Dim is n.
func (b *banded) Dim() int { return b.n }

// Upper is the trace, which no eigenvalue exceeds.
func (b *banded) Upper() (trace float64) {
	for i := range b.n {
		trace += b.data[i*(b.width+1)]
	}
	return trace
}

// Apply multiplies.
func (b *banded) Apply(dst, src []float64, width int) {
	clear(dst)
	row := func(x []float64, i int) []float64 { return x[i*width : (i+1)*width] }
	for i := range b.n {
		entries := b.data[i*(b.width+1) : (i+1)*(b.width+1)]
		blas.Axpy(entries[0], row(src, i), row(dst, i))
		for c, v := range entries[1:] {
			if j := i + 1 + c; v != 0 {
				blas.Axpy(v, row(src, j), row(dst, i))
				blas.Axpy(v, row(src, i), row(dst, j))
			}
		}
	}
}
