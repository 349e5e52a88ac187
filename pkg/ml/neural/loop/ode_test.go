package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/pkg/ml"
	"pgregory.net/rapid"
)

var fields = map[string]Slope{
	"van der pol": func(_ float64, y, dy []float64) error {
		dy[0], dy[1] = y[1], 5*(1-y[0]*y[0])*y[1]-y[0]
		return nil
	},
	"forced": func(t float64, y, dy []float64) error {
		dy[0], dy[1], dy[2] = -y[0]*math.Cos(3*t), y[0]-0.5*y[1]*y[1], math.Sin(t)*y[2]
		return nil
	},
}

// The steps are those of SciPy's RK45, one by one: testdata/ode.py.
func TestDormandPrinceAgainstSciPy(t *testing.T) {
	var cases []struct {
		Name                   string
		Y0, Times, Y           []float64
		T0, T1, RelTol, AbsTol float64
		Evaluations            int
	}
	graphtest.ReadJSON(t, "testdata/ode.json", &cases)
	for i, c := range cases {
		d := DormandPrince{RelTol: c.RelTol, AbsTol: c.AbsTol}
		var times []float64
		var last *Solution
		for s, err := range d.Iterate(t.Context(), fields[c.Name], c.Y0, c.T0, c.T1) {
			if err != nil {
				t.Fatal(err)
			}
			times, last = append(times, s.T), s
		}
		graphtest.Close(t, fmt.Sprintf("case %d: times", i), times, c.Times, 1e-6)
		graphtest.Close(t, fmt.Sprintf("case %d: solution", i), last.Y, c.Y, 1e-8)
		if last.Evaluations != c.Evaluations || last.Steps != len(times)-1 {
			t.Errorf("case %d: %d steps and %d evaluations, want %d and %d", i, last.Steps, last.Evaluations, len(times)-1, c.Evaluations)
		}
	}
}

// There and back again, to the tolerance, whatever the start.
func TestDormandPrinceThereAndBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		y := rapid.SliceOfN(rapid.Float64Range(0, 2), 3, 3).Draw(rt, "y")
		d := DormandPrince{RelTol: 1e-9, AbsTol: 1e-9}
		there, err := d.Solve(t.Context(), fields["forced"], y, 0, 1)
		if err != nil {
			rt.Fatal(err)
		}
		back, err := d.Solve(t.Context(), fields["forced"], there.Y, 1, 0)
		if err != nil {
			rt.Fatal(err)
		}
		for i := range y {
			if math.Abs(back.Y[i]-y[i]) > 1e-5 {
				rt.Fatalf("from %v comes back %v", y, back.Y)
			}
		}
	})
}

// A difficult row among a hundred easy ones takes the steps that it takes alone.
func TestRowsKeepToTheToleranceEach(t *testing.T) {
	const n = 101
	difficult, err := DormandPrince{}.Solve(t.Context(), fields["van der pol"], []float64{2, 0}, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, 2*n)
	y[2*50] = 2
	all, err := DormandPrince{Rows: n}.Solve(t.Context(), func(t float64, y, dy []float64) error {
		for r := range n {
			if r == 50 {
				_ = fields["van der pol"](t, y[2*r:2*r+2], dy[2*r:2*r+2])
			}
		}
		return nil
	}, y, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if all.Steps != difficult.Steps || all.Y[100] != difficult.Y[0] {
		t.Errorf("%d steps to %v, alone %d to %v", all.Steps, all.Y[100], difficult.Steps, difficult.Y[0])
	}
}

func TestDormandPrinceErrors(t *testing.T) {
	blowUp := func(_ float64, y, dy []float64) error {
		dy[0] = y[0] * y[0]
		return nil
	}
	last, err := DormandPrince{}.Solve(t.Context(), blowUp, []float64{1}, 0, 2)
	if !errors.Is(err, ml.ErrNotConverged) || !strings.Contains(err.Error(), "MinStep") || last == nil || math.Abs(last.T-1) > 0.01 {
		t.Errorf("a solution that ends at t = 1 gives %+v and %v", last, err)
	}
	last, err = DormandPrince{MaxSteps: 3, RelTol: 1e-9}.Solve(t.Context(), fields["van der pol"], []float64{2, 0}, 0, 10)
	if !errors.Is(err, ml.ErrNotConverged) || !strings.Contains(err.Error(), "MaxSteps") || last.Steps > 3 {
		t.Errorf("too few steps give %+v and %v", last, err)
	}
	mine := errors.New("mine")
	if _, err := (DormandPrince{}).Solve(t.Context(), func(float64, []float64, []float64) error { return mine }, []float64{1}, 0, 1); !errors.Is(err, mine) {
		t.Errorf("an error of f gives %v", err)
	}
	nan := func(_ float64, _, dy []float64) error {
		dy[0] = math.NaN()
		return nil
	}
	if _, err := (DormandPrince{}).Solve(t.Context(), nan, []float64{1}, 0, 1); !errors.Is(err, ml.ErrNotConverged) {
		t.Errorf("a slope that is not finite gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	count := 0
	last, err = DormandPrince{}.Solve(ctx, func(t float64, y, dy []float64) error {
		if count++; count == 20 {
			cancel()
		}
		return fields["van der pol"](t, y, dy)
	}, []float64{2, 0}, 0, 100)
	if !errors.Is(err, context.Canceled) || last == nil || count > 30 {
		t.Errorf("cancelled, it gives %v and %v after %d evaluations", last, err, count)
	}
	for name, c := range map[string]struct {
		d      DormandPrince
		y      []float64
		t1     float64
		target error
	}{
		"RelTol":   {DormandPrince{RelTol: -1}, []float64{1}, 1, ml.ErrParameter},
		"AbsTol":   {DormandPrince{AbsTol: math.NaN()}, []float64{1}, 1, ml.ErrParameter},
		"MinStep":  {DormandPrince{MinStep: math.Inf(1)}, []float64{1}, 1, ml.ErrParameter},
		"MaxSteps": {DormandPrince{MaxSteps: -1}, []float64{1}, 1, ml.ErrParameter},
		"Rows":     {DormandPrince{Rows: -1}, []float64{1}, 1, ml.ErrParameter},
		"t1":       {DormandPrince{}, []float64{1}, math.Inf(1), ml.ErrParameter},
		"shape":    {DormandPrince{Rows: 2}, []float64{1, 2, 3}, 1, ml.ErrShape},
		"empty":    {DormandPrince{}, nil, 1, ml.ErrEmpty},
		"NaN":      {DormandPrince{}, []float64{math.NaN()}, 1, ml.ErrNotFinite},
	} {
		if s, err := c.d.Solve(t.Context(), blowUp, c.y, 0, c.t1); !errors.Is(err, c.target) || s != nil {
			t.Errorf("%s: %v and %v", name, s, err)
		}
	}
	if s, err := (DormandPrince{}).Solve(t.Context(), blowUp, []float64{1}, 1, 1); err != nil || s.Y[0] != 1 || s.Steps != 0 {
		t.Errorf("no way to go gives %+v and %v", s, err)
	}
}
