package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/rng"
)

// start is where restart r begins.
func (f *nmfFit) start(ctx context.Context, r int) (*nmfState, error) {
	s := &nmfState{w: make([]float64, f.n*f.k), v: make([]float64, f.d*f.k)}
	mean := f.total / float64(f.n) / float64(f.d)
	switch {
	case r == 0 && f.InitScores != nil:
		for i := range f.n {
			from := i
			if f.order != nil {
				from = f.order[i]
			}
			for c := range f.k {
				s.w[i*f.k+c] = f.InitScores.At(from, c) * f.unit
			}
		}
		for j := range f.d {
			for c := range f.k {
				s.v[j*f.k+c] = f.InitComponents.At(c, j) * f.unit
			}
		}
		return s, nil
	case r > 0 || f.Start == RandomStart:
		draw := rng.New(f.Seed, r)
		size := math.Sqrt(mean / float64(f.k))
		for i := range s.v {
			s.v[i] = size * math.Abs(draw.NormFloat64())
		}
		for i := range s.w {
			s.w[i] = size * math.Abs(draw.NormFloat64())
		}
		return s, nil
	}
	svd, err := eigen.Randomized{Seed: f.Seed}.Decompose(ctx, nmfMethod, f.x.factor(), f.k)
	if err != nil {
		return nil, err
	}
	f.nonNegativeParts(s, svd)
	fill := func() float64 { return mean }
	switch f.Start {
	case NNDSVD:
		return s, nil
	case NNDSVDar:
		draw := rng.New(f.Seed, r)
		fill = func() float64 { return math.Abs(draw.NormFloat64()) * mean / 100 }
	}
	for _, factor := range [][]float64{s.v, s.w} {
		for i, v := range factor {
			if v == 0 {
				factor[i] = fill()
			}
		}
	}
	return s, nil
}

// nonNegativeParts makes a start of singular vectors. Of a pair u, v the positive parts or the
// negative ones, whichever product is larger, are scaled so that it counts for its share of the
// singular value; the first pair has one sign (Perron and Frobenius).
func (f *nmfFit) nonNegativeParts(s *nmfState, svd *eigen.SVD) {
	norms := func(v func(i int) float64, n int) (positive, negative float64) {
		for i := range n {
			if x := v(i); x > 0 {
				positive += x * x
			} else {
				negative += x * x
			}
		}
		return math.Sqrt(positive), math.Sqrt(negative)
	}
	for c, sigma := range svd.S {
		u := func(i int) float64 { return svd.U.At(i, c) }
		v := func(j int) float64 { return svd.V.At(j, c) }
		up, un := norms(u, f.n)
		vp, vn := norms(v, f.d)
		sign, a, b := 1.0, up, vp
		if un*vn > up*vp {
			sign, a, b = -1, un, vn
		}
		if c == 0 { // what rounding gives the other sign stays in
			a, b = 1, 1
		}
		if a*b == 0 {
			continue
		}
		scale := math.Sqrt(sigma * a * b)
		set := func(to []float64, x, norm float64) {
			if c == 0 {
				x = math.Abs(x)
			}
			// scikit-learn's bound for what counts as 0.
			if x = scale * x / norm; x > 1e-6 {
				to[c] = x
			}
		}
		for i := range f.n {
			set(s.w[i*f.k:], sign*u(i), a)
		}
		for j := range f.d {
			set(s.v[j*f.k:], sign*v(j), b)
		}
	}
}
