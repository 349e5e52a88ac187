package decomposition

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// lagged holds activations at all lags, H(t−ℓ, k) in row t, column k·length+ℓ: a convolution is a
// product with it.
func lagged(h *mat.Dense, length int) *mat.Dense {
	n, k := h.Dims()
	out := mat.NewDense(n, k*length, nil)
	for t := range n {
		row := out.RawRowView(t)
		for c := range k {
			for l := range min(length, t+1) {
				row[c*length+l] = h.At(t-l, c)
			}
		}
	}
	return out
}

// reconstruct is X̂.
func reconstruct(h, w *mat.Dense, length int) *mat.Dense {
	var x mat.Dense
	x.Mul(lagged(h, length), w)
	return &x
}

// overlap is (W ⋆ X)(t), one sequence a column.
func overlap(x, w *mat.Dense, length int) *mat.Dense {
	n, _ := x.Dims()
	rows, _ := w.Dims()
	var p mat.Dense
	p.Mul(x, w.T())
	out := mat.NewDense(n, rows/length, nil)
	for t := range n {
		for l := range min(length, n-t) {
			from, to := p.RawRowView(t+l), out.RawRowView(t)
			for c := range to {
				to[c] += from[c*length+l]
			}
		}
	}
	return out
}

// others replaces each column by the sum of all the others, times a number.
func others(x *mat.Dense, lambda float64) {
	n, k := x.Dims()
	for t := range n {
		row := x.RawRowView(t)
		sum := floats.Sum(row)
		if k == 1 {
			sum = row[0]
		}
		for c, v := range row {
			row[c] = lambda * max(sum-v, 0)
		}
	}
}

// improve makes one step: of each factor alone, what is minimised is a square and a term that is
// linear and rises, so a multiplicative update can't raise it.
func (f *seqFit) improve(s *seqState, lambda float64) *seqState {
	next := &seqState{h: mat.DenseCopyOf(s.h), w: mat.DenseCopyOf(s.w), step: s.step + 1}
	f.improveActivations(next, s.fit, lambda)
	f.center(next)
	f.normalize(next)
	f.improvePatterns(next, lambda)
	f.judge(next)
	return next
}

func (f *seqFit) improveActivations(s *seqState, fit *mat.Dense, lambda float64) {
	over, under := f.activationTerms(s, fit, lambda)
	multiplyBy(s.h, over, under)
}

// activationTerms are what the gradient takes away and adds; it is under − over.
func (f *seqFit) activationTerms(s *seqState, fit *mat.Dense, lambda float64) (over, under *mat.Dense) {
	over, under = overlap(f.x, s.w, f.Length), overlap(fit, s.w, f.Length)
	if lambda > 0 {
		penalty := smoothed(over, f.Length)
		others(penalty, lambda)
		under.Add(under, penalty)
	}
	return over, under
}

func (f *seqFit) improvePatterns(s *seqState, lambda float64) {
	over, under := f.patternTerms(s, lambda)
	multiplyBy(s.w, over, under)
}

func (f *seqFit) patternTerms(s *seqState, lambda float64) (over, under *mat.Dense) {
	at := lagged(s.h, f.Length)
	over, under = new(mat.Dense), new(mat.Dense)
	var fit mat.Dense
	fit.Mul(at, s.w)
	over.Mul(at.T(), f.x)
	under.Mul(at.T(), &fit)
	if lambda > 0 {
		var smooth mat.Dense
		smooth.Mul(at.T(), f.smooth)
		for l := range f.Length {
			for j := range f.d {
				sum := 0.0
				for c := range f.Sequences {
					sum += smooth.At(c*f.Length+l, j)
				}
				for c := range f.Sequences {
					row := c*f.Length + l
					under.Set(row, j, under.At(row, j)+lambda*max(sum-smooth.At(row, j), 0))
				}
			}
		}
	}
	return over, under
}

func multiplyBy(x, over, under *mat.Dense) {
	a, b := over.RawMatrix().Data, under.RawMatrix().Data
	for i, v := range x.RawMatrix().Data {
		if v > 0 && b[i] > 0 {
			if v *= a[i] / b[i]; v < leastProduct {
				v = 0
			}
			x.RawMatrix().Data[i] = v
		}
	}
}

// center moves each pattern so that its center of mass is the middle of the window, and its
// activations the other way. A pattern that grows at an edge is otherwise cut off there. What moves
// in is made a little more than 0, which would stay.
func (f *seqFit) center(s *seqState) {
	n, _ := s.h.Dims()
	little := 1e-6 * mat.Max(f.x)
	for c := range f.Sequences {
		w := s.w.Slice(c*f.Length, (c+1)*f.Length, 0, f.d).(*mat.Dense)
		mass, moment := 0.0, 0.0
		for l := range f.Length {
			sum := floats.Sum(w.RawRowView(l))
			mass += sum
			moment += sum * float64(l)
		}
		if mass == 0 {
			continue
		}
		by := int(math.Round(float64(f.Length-1)/2 - moment/mass))
		if by == 0 {
			continue
		}
		old, h := mat.DenseCopyOf(w), mat.Col(nil, c, s.h)
		for l := range f.Length {
			for j := range f.d {
				v := little
				if from := l - by; from >= 0 && from < f.Length {
					v += old.At(from, j)
				}
				w.Set(l, j, v)
			}
		}
		for t := range n {
			v := 0.0
			if from := t + by; from >= 0 && from < n {
				v = h[from]
			}
			s.h.Set(t, c, v)
		}
	}
}

// normalize gives activations the norm 1, and the size to the pattern.
func (f *seqFit) normalize(s *seqState) {
	n, _ := s.h.Dims()
	for c := range f.Sequences {
		norm := mat.Norm(s.h.ColView(c), 2)
		if norm == 0 {
			continue
		}
		for t := range n {
			s.h.Set(t, c, s.h.At(t, c)/norm)
		}
		w := s.w.Slice(c*f.Length, (c+1)*f.Length, 0, f.d).(*mat.Dense)
		w.Scale(norm, w)
	}
}

// judge computes X̂, the error and the penalty.
func (f *seqFit) judge(s *seqState) {
	s.fit = reconstruct(s.h, s.w, f.Length)
	n, _ := f.x.Dims()
	square := 0.0
	for t := range n {
		square += sqDistance(f.x.RawRowView(t), s.fit.RawRowView(t))
	}
	s.cross = f.crossTerm(s)
	s.error, s.loss = math.Sqrt(square), square/2+f.Lambda*s.cross
}

func (f *seqFit) crossTerm(s *seqState) float64 {
	o := smoothed(overlap(f.x, s.w, f.Length), f.Length)
	others(o, 1)
	return floats.Dot(o.RawMatrix().Data, s.h.RawMatrix().Data)
}
