package loop

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// DormandPrince solves the ordinary differential equation y′ = f(t, y) with the method of order 5
// whose estimate of the error, by one of order 4, chooses the steps (Dormand & Prince, 1980;
// Hairer, Nørsett & Wanner, 1993, II.4). The zero value is ready to use.
type DormandPrince struct {
	RelTol   float64 // error of a step, relative to the size of a number; 0 means 1e-5
	AbsTol   float64 // and on top of that; 0 means 1e-5
	Rows     int     // y is so many rows, each a problem of its own; 0 means 1
	MinStep  float64 // the least size of a step; 0 means 1e-10 of the whole way
	MaxSteps int     // accepted and rejected; 0 means 10,000
}

// Solution is y at a time.
type Solution struct {
	T           float64
	Y           []float64
	Steps       int // accepted so far
	Rejected    int
	Evaluations int // of f
}

// Slope computes y′ at a time into dy. It must not keep or change y.
type Slope func(t float64, y, dy []float64) error

// Solve returns the solution at t1, which may lie before t0. All rows take the same steps, and each
// keeps to the tolerance: the error is the root of the mean square over a row's numbers, and the
// largest one over the rows counts, so that a difficult row is not lost among easy ones.
//
// The errors are those of Iterate; with one of them comes the last solution, if there is one.
func (d DormandPrince) Solve(ctx context.Context, f Slope, y []float64, t0, t1 float64) (last *Solution, err error) {
	for s, err := range d.Iterate(ctx, f, y, t0, t1) {
		if s != nil {
			last = s
		}
		if err != nil {
			return last, err
		}
	}
	return last, nil
}

// Iterate yields the solution at t0 and after every accepted step, each a fresh value. The error is
// ml.ErrParameter for an option out of range, ml.ErrShape for rows of unequal length,
// ml.ErrNotFinite for a y that is not, ml.ErrNotConverged where the tolerances would want a step
// below MinStep, or more than MaxSteps, that of f, and ctx.Err().
func (d DormandPrince) Iterate(ctx context.Context, f Slope, y []float64, t0, t1 float64) iter.Seq2[*Solution, error] {
	return func(yield func(*Solution, error) bool) {
		p, err := d.problem(f, y, t0, t1)
		if err != nil {
			yield(nil, err)
			return
		}
		if err := p.start(); err != nil {
			yield(nil, err)
			return
		}
		for yield(p.solution(), nil) && p.t != t1 {
			if err := p.step(ctx); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

const odeMethod = "loop.DormandPrince"

// problem is a solution under way.
type problem struct {
	DormandPrince
	f                               Slope
	t, t1, h                        float64
	y, next, slope                  []float64 // slope is f(t, y)
	k                               [][]float64
	accepted, rejected, evaluations int
}

func (d DormandPrince) problem(f Slope, y []float64, t0, t1 float64) (*problem, error) {
	p := &problem{DormandPrince: d, f: f, t: t0, t1: t1, y: slices.Clone(y), next: make([]float64, len(y))}
	way := math.Abs(t1 - t0)
	for _, o := range []struct {
		name  string
		value *float64
		zero  float64
	}{{"RelTol", &p.RelTol, 1e-5}, {"AbsTol", &p.AbsTol, 1e-5}, {"MinStep", &p.MinStep, 1e-10 * way}} {
		if *o.value == 0 {
			*o.value = o.zero
		}
		if way > 0 && !(*o.value > 0) || math.IsInf(*o.value, 0) {
			return nil, ml.BadParameter(odeMethod, o.name, *o.value, "a positive number")
		}
	}
	p.Rows, p.MaxSteps = max(p.Rows, 1), orTenThousand(p.MaxSteps)
	switch {
	case d.Rows < 0:
		return nil, ml.BadParameter(odeMethod, "Rows", d.Rows, "at least 1")
	case d.MaxSteps < 0:
		return nil, ml.BadParameter(odeMethod, "MaxSteps", d.MaxSteps, "at least 1")
	case math.IsNaN(way) || math.IsInf(way, 0):
		return nil, ml.BadParameter(odeMethod, "t0, t1", fmt.Sprint(t0, ", ", t1), "finite times")
	case len(y) == 0:
		return nil, ml.Empty(odeMethod, "y has no numbers")
	case len(y)%p.Rows != 0:
		return nil, ml.BadShape(odeMethod, "%d numbers are not %d rows of one length", len(y), p.Rows)
	}
	for i, v := range y {
		if v-v != 0 {
			return nil, ml.NotFinite(odeMethod, "y[%d] is %v", i, v)
		}
	}
	for range len(dopriError) {
		p.k = append(p.k, make([]float64, len(y)))
	}
	p.slope = make([]float64, len(y))
	return p, nil
}

func orTenThousand(n int) int {
	if n == 0 {
		return 10000
	}
	return n
}

func (p *problem) solution() *Solution {
	return &Solution{T: p.t, Y: slices.Clone(p.y), Steps: p.accepted, Rejected: p.rejected, Evaluations: p.evaluations}
}

func (p *problem) evaluate(t float64, y, dy []float64) error {
	p.evaluations++
	if err := p.f(t, y, dy); err != nil {
		return fmt.Errorf("%s: at t = %v: %w", odeMethod, t, err)
	}
	return nil
}

// norm is the largest over the rows of the root mean square of x in units of the tolerance for a
// and b.
func (p *problem) norm(x, a, b []float64) (most float64) {
	columns := len(x) / p.Rows
	for r := range p.Rows {
		sum := 0.0
		for i := r * columns; i < (r+1)*columns; i++ {
			v := x[i] / (p.AbsTol + p.RelTol*max(math.Abs(a[i]), math.Abs(b[i])))
			sum += v * v
		}
		rms := math.Sqrt(sum / float64(columns))
		if !(rms <= most) { // also a NaN
			most = rms
		}
		if most != most {
			return math.Inf(1)
		}
	}
	return most
}

// start computes the first slope, and the first step from how far the slope itself changes along a
// small one (Hairer, Nørsett & Wanner, 1993, page 169).
func (p *problem) start() error {
	if err := p.evaluate(p.t, p.y, p.slope); err != nil {
		return err
	}
	way := p.t1 - p.t
	if way == 0 {
		return nil
	}
	d0, d1 := p.norm(p.y, p.y, p.y), p.norm(p.slope, p.y, p.y)
	h0 := 1e-6
	if d0 >= 1e-5 && d1 >= 1e-5 {
		h0 = 0.01 * d0 / d1
	}
	h0 = min(h0, math.Abs(way))
	for i := range p.y {
		p.next[i] = p.y[i] + math.Copysign(h0, way)*p.slope[i]
	}
	change := p.k[1]
	if err := p.evaluate(p.t+math.Copysign(h0, way), p.next, change); err != nil {
		return err
	}
	for i := range change {
		change[i] -= p.slope[i]
	}
	d2 := p.norm(change, p.y, p.y) / h0
	h1 := max(1e-6, h0*1e-3)
	if d1 > 1e-15 || d2 > 1e-15 {
		h1 = math.Pow(0.01/max(d1, d2), 1./5)
	}
	p.h = math.Copysign(min(100*h0, h1, math.Abs(way)), way)
	return nil
}

// step takes one step, smaller and smaller ones until one is accepted.
func (p *problem) step(ctx context.Context) error {
	most := 10.0 // that the next step may grow
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.accepted+p.rejected >= p.MaxSteps {
			return fmt.Errorf("%s: %w: at t = %v after MaxSteps = %d steps", odeMethod, ml.ErrNotConverged, p.t, p.MaxSteps)
		}
		h, end := p.h, p.t+p.h
		if math.Abs(h) >= math.Abs(p.t1-p.t) {
			h, end = p.t1-p.t, p.t1
		} else if math.Abs(h) < p.MinStep {
			return fmt.Errorf("%s: %w: at t = %v the tolerances want a step of %.3g, below MinStep = %.3g",
				odeMethod, ml.ErrNotConverged, p.t, math.Abs(h), p.MinStep)
		}
		norm, err := p.try(h, end)
		if err != nil {
			return err
		}
		if norm >= 1 {
			p.rejected++
			p.h = h * max(0.2, 0.9*math.Pow(norm, -1./5))
			most = 1 // no larger right after a step that was too large
			continue
		}
		p.accepted++
		if norm > 0 {
			most = min(most, 0.9*math.Pow(norm, -1./5))
		}
		p.t, p.h = end, h*most
		p.y, p.next = p.next, p.y
		copy(p.slope, p.k[len(p.k)-1])
		return nil
	}
}

// try computes next and the norm of its error.
func (p *problem) try(h, end float64) (norm float64, err error) {
	method := tableaus[Dopri5]
	copy(p.k[0], p.slope)
	combine := func(w []float64) {
		for j := range p.next {
			sum := 0.0
			for i, v := range w {
				sum += v * p.k[i][j]
			}
			p.next[j] = p.y[j] + h*sum
		}
	}
	for i := 1; i < len(method.c); i++ {
		combine(method.a[i])
		if err := p.evaluate(p.t+method.c[i]*h, p.next, p.k[i]); err != nil {
			return 0, err
		}
	}
	combine(method.b)
	if err := p.evaluate(end, p.next, p.k[len(p.k)-1]); err != nil {
		return 0, err
	}
	gap := make([]float64, len(p.y))
	for j := range gap {
		for i, v := range dopriError {
			gap[j] += h * v * p.k[i][j]
		}
	}
	return p.norm(gap, p.y, p.next), nil
}
