package topic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Start is where a fit begins. All fits of latent Dirichlet allocation end in a maximum near to
// where they began, and from random topics that is mostly one in which two topics share one row and
// a third is split.
type Start string

const (
	// Anchors looks for words that occur in one topic alone (Arora et al., 2013). How often words
	// occur together, Q, has a row for each word, and in it what else the documents that have the
	// word are about: the row of an anchor is a topic's, and those of all other words are mixtures
	// of them. So anchors are corners of what the rows span, found one after the other as the
	// farthest from those before; the mixture of each other word says in which topics it occurs.
	// Rows are held by their products with random directions, and Q is never made. It costs
	// O(entries·K + VK²).
	Anchors Start = "anchors"
	// Random draws topics without a look at the corpus.
	Random Start = "random"
)

func (s Start) check(method string) error {
	if s != "" && s != Anchors && s != Random {
		return ml.BadParameter(method, "Start", fmt.Sprintf("%q", string(s)), `"", "anchors" or "random"`)
	}
	return nil
}

// guess returns p(topic | word), V×K, or nil where nothing is known.
func (s Start) guess(ctx context.Context, c *corpus, k int, seed uint64) ([]float64, error) {
	if s == Random || k == 1 {
		return nil, ctx.Err()
	}
	return anchors(ctx, c, k, seed)
}

// rows are rows of Q, each over its sum, by their products with random directions.
type rows struct {
	p     int
	q     []float64 // V×p
	share []float64 // of each word, in all documents counted alike
	in    []int     // documents that have the word
}

// anchors returns p(topic | word), V×K, by the method of anchor words, and nil where there are
// fewer words than topics to be found.
func anchors(ctx context.Context, c *corpus, k int, seed uint64) ([]float64, error) {
	r, err := cooccurrence(ctx, c, k, seed)
	if err != nil {
		return nil, err
	}
	if err := r.denoise(ctx, k, seed); err != nil {
		return nil, err
	}
	if r.p < k {
		return nil, nil
	}
	chosen := r.corners(k)
	if len(chosen) < k {
		return nil, nil
	}
	// Words are mixtures of the corners: k equations, with one more for weights that sum to 1.
	a, b := mat.NewDense(r.p+1, k, nil), make([]float64, r.p+1)
	for t, w := range chosen {
		for i, v := range r.q[w*r.p : (w+1)*r.p] {
			a.Set(i, t, v)
		}
		a.Set(r.p, t, 1)
	}
	var qr mat.QR
	qr.Factorize(a)
	guess, uniform := make([]float64, c.v*k), 0.01/float64(k)
	var solved mat.VecDense
	for w := range c.v {
		if w%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out, sum := guess[w*k:(w+1)*k], 0.0
		if r.share[w] > 0 {
			copy(b, r.q[w*r.p:(w+1)*r.p])
			b[r.p] = 1
			if err := qr.SolveVecTo(&solved, false, mat.NewVecDense(r.p+1, b)); err != nil {
				if _, near := err.(mat.Condition); !near {
					return nil, nil
				}
			}
			for t := range out {
				if v := solved.AtVec(t); v > 0 && !math.IsInf(v, 0) {
					out[t] = v
					sum += v
				}
			}
		}
		for t := range out {
			if sum > 0 {
				out[t] = 0.99*out[t]/sum + uniform
			} else {
				out[t] = 1 / float64(k)
			}
		}
	}
	return guess, nil
}

// cooccurrence multiplies Q by random directions: Q = Σ_d (x_d x_dᵀ − diag x_d) / (n_d(n_d − 1)),
// where the diagonal keeps a word from meeting itself.
func cooccurrence(ctx context.Context, c *corpus, k int, seed uint64) (*rows, error) {
	r := &rows{p: min(c.v, 2*k+60), share: make([]float64, c.v), in: make([]int, c.v)}
	direction := make([]float64, c.v*r.p)
	if r.p == c.v {
		for j := range c.v {
			direction[j*r.p+j] = 1
		}
	} else {
		g := rng.New(seed, 2)
		for i := range direction {
			if i%(1<<20) == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			direction[i] = g.NormFloat64()
		}
	}
	y := make([]float64, c.n*r.p)
	c.MulTo(y, direction, r.p)
	r.q = make([]float64, c.v*r.p)
	scale := make([]float64, c.n)
	for i, n := range c.length {
		if n > 1 {
			scale[i] = 1 / (n * (n - 1))
		}
	}
	words := c.byWord()
	err := parallel.For(ctx, c.v, 256, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			row, diagonal := r.q[j*r.p:(j+1)*r.p], 0.0
			for e := words.start[j]; e < words.start[j+1]; e++ {
				i, count := int(words.doc[e]), c.Value[words.at[e]]
				if scale[i] == 0 {
					continue
				}
				r.in[j]++
				r.share[j] += count * scale[i] * (c.length[i] - 1)
				diagonal += count * scale[i]
				blas.Axpy(count*scale[i], y[i*r.p:(i+1)*r.p], row)
			}
			if r.share[j] > 0 {
				blas.Axpy(-diagonal, direction[j*r.p:(j+1)*r.p], row)
				for i := range row {
					row[i] /= r.share[j]
				}
			}
		}
	})
	return r, err
}

// denoise projects the rows, each weighted by its share, onto the k directions in which they are
// long: of a corpus of k topics Q has rank k, and the rest is chance.
func (r *rows) denoise(ctx context.Context, k int, seed uint64) error {
	v := len(r.share)
	const size = 2048
	parts := make([][]float64, parallel.Chunks(v, size))
	err := parallel.For(ctx, v, size, func(chunk, lo, hi int) {
		gram := make([]float64, r.p*r.p)
		for j := lo; j < hi; j++ {
			row := r.q[j*r.p : (j+1)*r.p]
			for a, x := range row {
				if x *= r.share[j]; x != 0 {
					blas.Axpy(x, row, gram[a*r.p:(a+1)*r.p])
				}
			}
		}
		parts[chunk] = gram
	})
	if err != nil {
		return err
	}
	gram := mat.NewDense(r.p, r.p, nil)
	for _, part := range parts {
		gram.Add(gram, mat.NewDense(r.p, r.p, part))
	}
	k = min(k, r.p)
	long, err := eigen.Largest(ctx, gram, k, seed)
	if err != nil {
		return err
	}
	q := make([]float64, v*k)
	err = parallel.For(ctx, v, 256, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			for a := range k {
				q[j*k+a] = blas.Dot(long.Vectors[a], r.q[j*r.p:(j+1)*r.p])
			}
		}
	})
	r.p, r.q = k, q
	return err
}

// corners chooses k words whose rows are far from what the ones before span, among those that occur
// in enough documents for their rows to be known.
func (r *rows) corners(k int) []int {
	order := make([]int, 0, len(r.in))
	for j, n := range r.in {
		if n > 0 {
			order = append(order, j)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(r.in[b], r.in[a]), cmp.Compare(a, b)) })
	often := 0
	for often < len(order) && (r.in[order[often]] >= 20 || often < 4*k) {
		often++
	}
	order = order[:often]
	rest := make([]float64, len(order)*r.p) // what lies outside of the span
	for i, w := range order {
		copy(rest[i*r.p:(i+1)*r.p], r.q[w*r.p:(w+1)*r.p])
	}
	var chosen []int
	for len(chosen) < k {
		best, far := -1, 1e-24
		for i := range order {
			row := rest[i*r.p : (i+1)*r.p]
			if d := blas.Dot(row, row); d > far {
				best, far = i, d
			}
		}
		if best < 0 {
			return chosen
		}
		chosen = append(chosen, order[best])
		if len(chosen) == 1 { // distances are from the first from here on, and then from spans through it
			first := slices.Clone(rest[best*r.p : (best+1)*r.p])
			for i := range order {
				blas.Axpy(-1, first, rest[i*r.p:(i+1)*r.p])
			}
			continue
		}
		unit := slices.Clone(rest[best*r.p : (best+1)*r.p])
		for a := range unit {
			unit[a] /= math.Sqrt(far)
		}
		for i := range order {
			row := rest[i*r.p : (i+1)*r.p]
			blas.Axpy(-blas.Dot(unit, row), unit, row)
		}
	}
	return chosen
}
