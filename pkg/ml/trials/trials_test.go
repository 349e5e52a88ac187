package trials_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

var nan = math.NaN()

// drawn are trials of unequal length under two factors, each condition once or more.
func drawn(t *rapid.T) *trials.Trials {
	r := rng.New(rapid.Uint64Range(0, 1000).Draw(t, "seed"))
	s, q := rapid.IntRange(1, 4).Draw(t, "stimuli"), rapid.IntRange(1, 3).Draw(t, "decisions")
	d, steps := rapid.IntRange(1, 3).Draw(t, "d"), rapid.IntRange(1, 6).Draw(t, "steps")
	var series []mat.Matrix
	var stimuli, decisions []string
	for c := range s * q {
		for range rapid.IntRange(1, 3).Draw(t, "repeats") {
			x := mat.NewDense(steps+r.IntN(3), d, nil)
			x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
			series = append(series, x)
			stimuli, decisions = append(stimuli, string(rune('a'+c/q))), append(decisions, string(rune('A'+c%q)))
		}
	}
	data, err := trials.New(series, trials.NewFactor("stimulus", stimuli), trials.NewFactor("decision", decisions))
	if err != nil {
		t.Fatal(err)
	}
	cut, err := data.Window(0, steps)
	if err != nil {
		t.Fatal(err)
	}
	return cut
}

// The parts of the means add up to the means, are orthogonal, and have no mean along a factor that
// they are named for.
func TestMarginalsDecompose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := drawn(t).Average()
		if err != nil {
			t.Fatal(err)
		}
		all := []string{"decision", trials.Time, "stimulus"}
		var parts []*mat.Dense
		rows, d := a.Mean.Dims()
		sum := mat.NewDense(rows, d, nil)
		for set := range 8 {
			var named []string
			for f, name := range all {
				if set>>f&1 == 1 {
					named = append(named, name)
				}
			}
			p, err := a.Marginal(named...)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range parts {
				for j := range d {
					if dot := mat.Dot(p.ColView(j), other.ColView(j)); math.Abs(dot) > 1e-10 {
						t.Fatalf("%v is not orthogonal to an earlier part: %v", named, dot)
					}
				}
			}
			parts = append(parts, p)
			sum.Add(sum, p)
		}
		if !mat.EqualApprox(sum, a.Mean, 1e-12) {
			t.Fatal("the parts do not add up to the means")
		}
	})
}

// A design of known parts: x = stimulus + 10·time + 100·stimulus·decision, all of mean zero.
func TestMarginalOfKnownParts(t *testing.T) {
	var series []mat.Matrix
	var stimuli, decisions []string
	for k := range 8 { // each condition twice, 1 above and 1 below its mean
		s, q, noise := float64(k/2%2)*2-1, float64(k/4)*2-1, float64(k%2)*2-1
		x := mat.NewDense(3, 1, nil)
		for i := range 3 {
			x.Set(i, 0, 7+s+10*float64(i-1)+100*s*q+noise)
		}
		series = append(series, x)
		stimuli, decisions = append(stimuli, map[float64]string{-1: "low", 1: "high"}[s]), append(decisions, map[float64]string{-1: "left", 1: "right"}[q])
	}
	data, err := trials.New(series, trials.NewFactor("stimulus", stimuli), trials.NewFactor("decision", decisions))
	if err != nil {
		t.Fatal(err)
	}
	a, err := data.Average("decision", "stimulus")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Trials, []int{2, 2, 2, 2}) || a.Steps != 3 || a.Of[2] != 1 || a.Of[4] != 2 {
		t.Fatalf("conditions: %v trials, %d steps, %v", a.Trials, a.Steps, a.Of)
	}
	for name, c := range map[string]struct {
		factors []string
		want    func(s, q, time float64) float64
	}{
		"mean":        {nil, func(s, q, time float64) float64 { return 7 }},
		"stimulus":    {[]string{"stimulus"}, func(s, q, time float64) float64 { return s }},
		"time":        {[]string{trials.Time}, func(s, q, time float64) float64 { return 10 * time }},
		"decision":    {[]string{"decision"}, func(s, q, time float64) float64 { return 0 }},
		"interaction": {[]string{"stimulus", "decision"}, func(s, q, time float64) float64 { return 100 * s * q }},
		"all":         {[]string{"stimulus", "decision", trials.Time}, func(s, q, time float64) float64 { return 0 }},
	} {
		p, err := a.Marginal(c.factors...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			s, q, time := float64(i/3%2)*2-1, float64(i/6)*2-1, float64(i%3-1)
			if want := c.want(s, q, time); math.Abs(p.At(i, 0)-want) > 1e-12 {
				t.Errorf("%s: row %d is %v, want %v", name, i, p.At(i, 0), want)
			}
		}
	}
}

// Values that are missing are left out of means, and where all are there is none.
func TestAverageWithMissingValues(t *testing.T) {
	data, err := trials.New([]mat.Matrix{
		mat.NewDense(3, 2, []float64{1, 2, nan, 4, 5, nan}),
		mat.NewDense(2, 2, []float64{3, 6, 7, nan}),
		mat.NewDense(1, 2, []float64{9, 9}),
	}, trials.NewFactor("side", []string{"left", "left", "right"}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := data.Average()
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{2, 4, 7, 4, 5, nan, 9, 9, nan, nan, nan, nan}
	for i, v := range a.Mean.RawMatrix().Data {
		if v != want[i] && !(math.IsNaN(v) && math.IsNaN(want[i])) {
			t.Errorf("means %v, want %v", a.Mean.RawMatrix().Data, want)
			break
		}
	}
	if _, err := a.Marginal(); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "step 2 of condition 0") {
		t.Errorf("a marginal of means that are missing: %v", err)
	}
	if err := data.Complete("x"); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "trial 0, step 1, variable 0") {
		t.Errorf("Complete: %v", err)
	}
	if one, err := data.Select([]int{2}); err != nil || one.Complete("x") != nil {
		t.Errorf("a complete trial: %v", err)
	}
}

func TestStackAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := drawn(t)
		var lengths []int
		var series []mat.Matrix
		for k := range data.Len() {
			lengths, series = append(lengths, data.Steps(k)), append(series, data.Trial(k))
		}
		var dense mat.Dense
		dense.CloneFrom(data)
		for name, make := range map[string]func() (*trials.Trials, error){
			"New": func() (*trials.Trials, error) { return trials.New(series, data.Factors...) },
			"Cut": func() (*trials.Trials, error) { return trials.Cut(dense.T().T(), lengths, data.Factors...) },
		} {
			again, err := make()
			if err != nil || !mat.Equal(again, data) || !slices.Equal(again.Start, data.Start) {
				t.Fatalf("%s: %+v, %v, want %+v", name, again, err, data)
			}
		}
		// A method's checks take trials like any matrix; and a plain matrix is one trial.
		if x, err := ml.Dense("x", data); err != nil || !mat.Equal(x, &dense) || !mat.Equal(data.T(), dense.T()) {
			t.Fatalf("as a matrix: %v", err)
		}
		if one, err := trials.Of("x", &dense); err != nil || one.Len() != 1 || one.X != &dense {
			t.Fatalf("a matrix as trials: %+v, %v", one, err)
		}
		if same, err := trials.Of("x", data); err != nil || same != data {
			t.Fatalf("trials as trials: %v", err)
		}
	})
}

// Every trial is in one fold, folds and conditions are balanced to one trial, and Except is what
// Select leaves.
func TestFolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := drawn(t)
		if data.Len() < 2 {
			return
		}
		count := rapid.IntRange(2, data.Len()).Draw(t, "folds")
		folds, err := data.Folds(count, 3)
		if err != nil {
			t.Fatal(err)
		}
		all, err := data.Average()
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]int, data.Len())
		for _, fold := range folds {
			if len(fold) < data.Len()/count || len(fold) > (data.Len()+count-1)/count {
				t.Fatalf("folds %v are not equal", folds)
			}
			held := make([]int, len(all.Trials))
			for _, k := range fold {
				seen[k]++
				held[all.Of[k]]++
			}
			for c, n := range held {
				if n < all.Trials[c]/count || n > (all.Trials[c]+count-1)/count {
					t.Fatalf("a fold has %d of the %d trials of condition %d", n, all.Trials[c], c)
				}
			}
			test, err := data.Select(fold)
			if err != nil {
				t.Fatal(err)
			}
			train, err := data.Except(fold)
			if err != nil {
				t.Fatal(err)
			}
			if test.Len()+train.Len() != data.Len() {
				t.Fatalf("%d and %d trials of %d", test.Len(), train.Len(), data.Len())
			}
			for i, k := range fold {
				for f, factor := range test.Factors {
					if was := data.Factors[f]; factor.Levels[factor.Of[i]] != was.Levels[was.Of[k]] {
						t.Fatalf("trial %d has lost its level of %q", k, factor.Name)
					}
				}
				if !mat.Equal(test.Trial(i), data.Trial(k)) {
					t.Fatalf("trial %d has changed", k)
				}
			}
		}
		if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
			t.Fatalf("folds %v do not cover each trial once", folds)
		}
	})
}

func TestAround(t *testing.T) {
	x := mat.NewDense(10, 1, []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	data, err := trials.Around(x, []int{2, 8, 3}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0, 1, 2, 3, 6, 7, 8, 9, 1, 2, 3, 4}
	if !slices.Equal(data.X.RawMatrix().Data, want) || !slices.Equal(data.Start, []int{0, 4, 8, 12}) {
		t.Errorf("trials %v from %v, want %v", data.X.RawMatrix().Data, data.Start, want)
	}
}

func TestErrors(t *testing.T) {
	two := []mat.Matrix{mat.NewDense(2, 1, []float64{1, 2}), mat.NewDense(3, 1, nil)}
	data, err := trials.New(two, trials.NewFactor("a", []string{"x", "y"}))
	if err != nil {
		t.Fatal(err)
	}
	average, err := data.Average()
	if err != nil {
		t.Fatal(err)
	}
	second := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		err, want error
		says      string
	}{
		"no series":         {second(trials.New(nil)), ml.ErrEmpty, "no series"},
		"no steps":          {second(trials.New([]mat.Matrix{two[0], &mat.Dense{}})), ml.ErrEmpty, "series 1"},
		"variables":         {second(trials.New([]mat.Matrix{two[0], mat.NewDense(1, 2, nil)})), ml.ErrShape, "series 1 has 2 variables"},
		"infinite":          {second(trials.New([]mat.Matrix{two[0], mat.NewDense(1, 1, []float64{math.Inf(-1)})})), ml.ErrNotFinite, "trial 1, step 0, variable 0 is -Inf"},
		"a factor's length": {second(trials.New(two, trials.NewFactor("a", []string{"x"}))), ml.ErrShape, `factor "a" has 1`},
		"no name":           {second(trials.New(two, trials.NewFactor("", []string{"x", "y"}))), ml.ErrParameter, "Factors[0].Name"},
		"time":              {second(trials.New(two, trials.NewFactor("time", []string{"x", "y"}))), ml.ErrParameter, "Factors[0].Name"},
		"one name twice":    {second(trials.New(two, data.Factors[0], data.Factors[0])), ml.ErrParameter, "Factors[1].Name"},
		"level":             {second(trials.New(two, trials.Factor{Name: "a", Levels: []string{"x"}, Of: []int{0, 1}})), ml.ErrParameter, "trial 1"},
		"lengths":           {second(trials.Cut(two[1], []int{1, 1})), ml.ErrShape, "do not cover the 3 steps"},
		"a long one":        {second(trials.Cut(two[1], []int{2, 2})), ml.ErrShape, "length 1 is 2"},
		"an empty one":      {second(trials.Cut(two[1], []int{3, 0})), ml.ErrShape, "length 1 is 0"},
		"early event":       {second(trials.Around(two[1], []int{1, 0}, 1, 1)), ml.ErrParameter, "events[1] = 0, want 1 to 2"},
		"late event":        {second(trials.Around(two[1], []int{3}, 1, 1)), ml.ErrParameter, "events[0] = 3"},
		"no events":         {second(trials.Around(two[1], nil, 1, 1)), ml.ErrEmpty, "no events"},
		"no window":         {second(trials.Around(two[1], []int{1}, 0, 0)), ml.ErrParameter, "1 to 3"},
		"nil":               {(*trials.Trials)(nil).Check("x"), ml.ErrEmpty, "nil"},
		"nil matrix":        {second(trials.Of("x", (*trials.Trials)(nil))), ml.ErrEmpty, "nil"},
		"start":             {(&trials.Trials{X: data.X, Start: []int{0, 3, 3, 5}}).Check("x"), ml.ErrShape, "trial 1 has 0 steps"},
		"select":            {second(data.Select([]int{2})), ml.ErrParameter, "trials[0] = 2"},
		"select none":       {second(data.Select(nil)), ml.ErrEmpty, "no trials"},
		"except all":        {second(data.Except([]int{0, 1})), ml.ErrEmpty, "no trials"},
		"except":            {second(data.Except([]int{-1})), ml.ErrParameter, "trials[0] = -1"},
		"long window":       {second(data.Window(0, 3)), ml.ErrParameter, "2 steps of trial 0"},
		"empty window":      {second(data.Window(1, 1)), ml.ErrParameter, "lo < hi"},
		"folds":             {second(data.Folds(3, 0)), ml.ErrParameter, "2 to the number of trials, 2"},
		"a factor":          {second(data.Average("b")), ml.ErrParameter, `["a"]`},
		"a factor twice":    {second(data.Average("a", "a")), ml.ErrParameter, `"a"`},
		"a marginal":        {second(average.Marginal("b")), ml.ErrNotFinite, "step 2 of condition 0"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.want, c.says)
		}
	}
	short, err := data.Window(0, 2)
	if err != nil {
		t.Fatal(err)
	}
	if average, err = short.Average(); err != nil {
		t.Fatal(err)
	}
	for _, factors := range [][]string{{"b"}, {"a", "a"}} {
		if _, err := average.Marginal(factors...); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("a marginal of %q: %v", factors, err)
		}
	}
}
