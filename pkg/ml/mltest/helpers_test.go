package mltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// recorder notes whether a helper has complained.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(f string, args ...any) { r.said = append(r.said, fmt.Sprintf(f, args...)) }

func TestGaps(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		got, want []float64
		gap       float64
	}{
		{[]float64{1, 202, -3}, []float64{1, 200, -2.5}, 0.2},
		{[]float64{0.25}, []float64{0.5}, 0.25},
		{[]float64{inf, nan}, []float64{inf, nan}, 0},
		{[]float64{1}, []float64{nan}, inf}, {[]float64{nan}, []float64{1}, inf}, {[]float64{inf}, []float64{1}, inf},
		{[]float64{1}, []float64{inf}, inf}, {[]float64{1}, nil, inf},
	} {
		if g := Gap(c.got, c.want); g != c.gap {
			t.Errorf("the gap of %v and %v is %v, want %v", c.got, c.want, g, c.gap)
		}
	}
	a, b := FromRows([][]float64{{1, 2}, {3, 4}}), FromRows([][]float64{{1, 5}, {3, 2}})
	if g := MatrixGap(a, b); g != 3 {
		t.Errorf("the gap of the matrices is %v, want 3", g)
	}
	if g := MatrixGap(a, b.T()); g != 2 {
		t.Errorf("the gap from the transpose is %v, want 2", g)
	}
	b.Set(0, 0, nan)
	if g := MatrixGap(a, b); !math.IsInf(g, 1) || !math.IsInf(MatrixGap(a, mat.NewDense(1, 2, nil)), 1) {
		t.Errorf("NaN has a gap of %v", g)
	}
}

func TestHelpersComplain(t *testing.T) {
	fifths := []float64{.2, .2, .2, .2, .2}
	for name, c := range map[string]struct {
		check func(t testing.TB)
		bad   bool
	}{
		"equal":        {func(t testing.TB) { CloseTo(t, "", []float64{1}, []float64{1.5}, 0.5) }, false},
		"far":          {func(t testing.TB) { CloseTo(t, "", []float64{1}, []float64{1.6}, 0.5) }, true},
		"NaN":          {func(t testing.TB) { CloseTo(t, "", []float64{math.NaN()}, []float64{1}, 9) }, true},
		"short":        {func(t testing.TB) { CloseTo(t, "", nil, []float64{1}, 9) }, true},
		"fair":         {func(t testing.TB) { Frequencies(t, "", []float64{9, 11, 12, 8, 10}, fifths) }, false},
		"a loaded die": {func(t testing.TB) { Frequencies(t, "", []float64{30, 5, 5, 5, 5}, fifths) }, true},
		"too few":      {func(t testing.TB) { Frequencies(t, "", []float64{2, 2, 2, 2, 2}, fifths) }, true},
		"often rare": {func(t testing.TB) {
			Frequencies(t, "", []float64{9, 11, 12, 8, 10, 50}, []float64{.2, .2, .2, .2, .19, .01})
		}, true},
		"right error":   {func(t testing.TB) { Refused(t, "", ml.BadParameter("m", "K", 0, "1"), ml.ErrParameter, "K") }, false},
		"no error":      {func(t testing.TB) { Refused(t, "", nil, ml.ErrParameter) }, true},
		"another":       {func(t testing.TB) { Refused(t, "", ml.ErrShape, ml.ErrParameter) }, true},
		"no such words": {func(t testing.TB) { Refused(t, "", ml.ErrShape, ml.ErrShape, "column") }, true},
	} {
		r := &recorder{TB: t}
		if c.check(r); (len(r.said) > 0) != c.bad {
			t.Errorf("%s: complaints %q", name, r.said)
		}
	}
	x := Normal(3, 2000, 2)
	if m := mat.Sum(x) / 4000; math.Abs(m) > 5/math.Sqrt(4000) || math.Abs(mat.Dot(x.ColView(0), x.ColView(0))/2000-1) > 5*math.Sqrt(2./2000) {
		t.Errorf("mean %v and second moment of no standard normal numbers", m)
	}
	if !Normal(1, 0, 3).IsEmpty() {
		t.Error("no rows make a matrix")
	}
}

// A call that does not look at its context is caught, whether it works or sleeps; one that looks is
// not, nor one that is done before.
func TestPrompt(t *testing.T) {
	toil := func(d time.Duration) {
		for since := work(); work()-since < d; {
		}
	}
	for name, c := range map[string]struct {
		call         func(ctx context.Context) error
		stopped, bad bool
	}{
		"looks": {func(ctx context.Context) error {
			for ctx.Err() == nil {
				toil(time.Millisecond)
			}
			return fmt.Errorf("so: %w", ctx.Err())
		}, true, false},
		"done":    {func(context.Context) error { return nil }, false, false},
		"wrong":   {func(context.Context) error { return errors.New("no") }, false, true},
		"another": {func(ctx context.Context) error { <-ctx.Done(); return context.DeadlineExceeded }, false, true},
		"deaf": {func(ctx context.Context) error {
			toil(2 * prompt * time.Duration(runtime.GOMAXPROCS(0)))
			return ctx.Err()
		}, true, true},
	} {
		r := &recorder{TB: t}
		if stopped := Prompt(r, name, 10*time.Millisecond, c.call); stopped != c.stopped || (len(r.said) > 0) != c.bad {
			t.Errorf("%s: stopped %v, complaints %q", name, stopped, r.said)
		}
	}
	if (stopwatch{work(), time.Now().Add(-time.Minute)}).late() == nil {
		t.Error("a minute of sleep passes for prompt")
	}
}
