// Package mltest holds every method of the library to what all of them promise: the same answer for
// the same seed on any number of processors, the caller's data left alone, any kind of matrix,
// errors that say what is wrong, prompt cancellation, models that survive a file. A method's test
// file calls it once:
//
//	func TestConformance(t *testing.T) {
//		k := cluster.KMeans{K: 3}
//		mltest.Run(t, mltest.Method[cluster.KMeansModel]{
//			Fit: k.Fit, Iterate: k.Iterate, Predict: (*cluster.KMeansModel).Predict,
//			Labels:    func(m *cluster.KMeansModel) []int { return m.Labels },
//			Objective: func(m *cluster.KMeansModel) float64 { return m.Inertia },
//		})
//	}
package mltest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Method is a method with options set, and what its model offers. Only Fit is needed; a check whose
// hook is nil is left out.
type Method[M any] struct {
	Fit       func(ctx context.Context, x mat.Matrix) (*M, error)
	Iterate   func(ctx context.Context, x mat.Matrix) iter.Seq2[*M, error]
	Objective func(*M) float64 // what Iterate lowers
	Predict   func(*M, mat.Matrix) ([]int, error)
	Labels    func(*M) []int // the partition of the rows, which must go along when they are permuted
	Data      *mat.Dense     // nil means 90 points in three clear clusters in the plane
	Patience  time.Duration  // for one fit of the small data; 0 means 20 s
}

// Run runs every check as a subtest.
func Run[M any](t *testing.T, m Method[M]) {
	t.Helper()
	for _, c := range m.checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

type check struct {
	name string
	run  func(ctx context.Context, dir string) error
}

func (m Method[M]) checks() []check {
	out := []check{
		{"same seed, same model", m.sameSeed},
		{"any number of processors, same model", m.anyProcessors},
		{"input left unchanged", m.inputUnchanged},
		{"any kind of matrix", m.anyMatrix},
		{"bad input is named", m.badInput},
		{"odd input gives an answer or an error", m.oddInput},
		{"a cancelled context returns promptly", m.cancelled},
		{"save then load is the identity", m.saveLoad},
	}
	if m.Labels != nil {
		out = append(out, check{"rows permuted, result permuted", m.permuted})
	}
	if m.Predict != nil {
		out = append(out, check{"predicting a subset is the subset of the predictions", m.subset})
	}
	if m.Iterate != nil && m.Objective != nil {
		out = append(out, check{"the objective never rises", m.neverRises})
	}
	return out
}

func (m Method[M]) data() *mat.Dense {
	if m.Data != nil {
		return mat.DenseCopyOf(m.Data)
	}
	r := rng.New(1)
	x := mat.NewDense(90, 2, nil)
	for i := range 90 {
		s, c := math.Sincos(2 * math.Pi * float64(i%3) / 3)
		x.SetRow(i, []float64{5*c + 0.4*r.NormFloat64(), 5*s + 0.4*r.NormFloat64()})
	}
	return x
}

// fit calls Fit, turning a panic or a hang into an error of the check.
func (m Method[M]) fit(ctx context.Context, x mat.Matrix) (model *M, fitErr, broken error) {
	type result struct {
		model *M
		err   error
		panic error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.panic = fmt.Errorf("the fit panicked: %v\n%s", p, debug.Stack())
			}
			done <- r
		}()
		r.model, r.err = m.Fit(ctx, x)
	}()
	patience := m.Patience
	if patience == 0 {
		patience = 20 * time.Second
	}
	select {
	case r := <-done:
		return r.model, r.err, r.panic
	case <-time.After(patience):
		return nil, nil, fmt.Errorf("the fit did not return within %v", patience)
	}
}

// must is fit for data on which the method has no excuse.
func (m Method[M]) must(ctx context.Context, x mat.Matrix) (*M, error) {
	model, err, broken := m.fit(ctx, x)
	if err = errors.Join(err, broken); err != nil {
		return nil, err
	}
	if model == nil {
		return nil, errors.New("the fit gave neither a model nor an error")
	}
	return model, nil
}

func (m Method[M]) equalFits(ctx context.Context, what string, x, y mat.Matrix) error {
	a, err := m.must(ctx, x)
	if err != nil {
		return err
	}
	b, err := m.must(ctx, y)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Errorf("%s: another model", what)
	}
	return nil
}

func (m Method[M]) sameSeed(ctx context.Context, _ string) error {
	return m.equalFits(ctx, "the second fit", m.data(), m.data())
}

func (m Method[M]) anyProcessors(ctx context.Context, _ string) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	first, err := m.must(ctx, m.data())
	if err != nil {
		return err
	}
	for _, procs := range []int{2, 5} {
		runtime.GOMAXPROCS(procs)
		again, err := m.must(ctx, m.data())
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(first, again) {
			return fmt.Errorf("with %d processors: another model than with one", procs)
		}
	}
	return nil
}

func (m Method[M]) inputUnchanged(ctx context.Context, _ string) error {
	x := m.data()
	if _, err := m.must(ctx, x); err != nil {
		return err
	}
	if !mat.Equal(x, m.data()) {
		return errors.New("the fit wrote to the caller's matrix")
	}
	return nil
}

func (m Method[M]) anyMatrix(ctx context.Context, _ string) error {
	x := m.data()
	n, d := x.Dims()
	view := mat.NewDense(n+3, d+4, nil).Slice(2, n+2, 1, d+1).(*mat.Dense)
	view.Copy(x)
	return errors.Join(
		m.equalFits(ctx, "a view", x, view),
		m.equalFits(ctx, "a transpose", x, mat.DenseCopyOf(x.T()).T()),
		m.answersOrRefuses(ctx, "a diagonal matrix", mat.NewDiagDense(6, []float64{1, 2, 3, 4, 5, 6})),
		m.answersOrRefuses(ctx, "a symmetric matrix", mat.NewSymDense(5, slices.Repeat([]float64{1, 2, 3, 4, 5}, 5))),
	)
}

func (m Method[M]) badInput(ctx context.Context, _ string) error {
	n, d := m.data().Dims()
	with := func(v float64) *mat.Dense {
		x := m.data()
		x.Set(n/2, d-1, v)
		return x
	}
	place := []string{fmt.Sprintf("row %d", n/2), fmt.Sprintf("column %d", d-1)}
	var problems []error
	for _, c := range []struct {
		what string
		x    mat.Matrix
		kind error
		says []string
	}{
		{"nil", nil, ml.ErrEmpty, nil}, {"a nil *mat.Dense", (*mat.Dense)(nil), ml.ErrEmpty, nil}, {"an empty matrix", &mat.Dense{}, ml.ErrEmpty, nil},
		{"NaN", with(math.NaN()), ml.ErrNotFinite, place}, {"+Inf", with(math.Inf(1)), ml.ErrNotFinite, place}, {"-Inf", with(math.Inf(-1)), ml.ErrNotFinite, place},
	} {
		_, err, broken := m.fit(ctx, c.x)
		if broken != nil {
			problems = append(problems, fmt.Errorf("%s: %w", c.what, broken))
			continue
		}
		if !errors.Is(err, c.kind) {
			problems = append(problems, fmt.Errorf("%s: the error is %v, want one that wraps %q", c.what, err, c.kind))
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				problems = append(problems, fmt.Errorf("%s: the error %q does not say %q", c.what, err, s))
			}
		}
	}
	return errors.Join(problems...)
}

// oddInput: data on which there may be no answer.
func (m Method[M]) oddInput(ctx context.Context, _ string) error {
	scaled := func(f float64) *mat.Dense {
		x := m.data()
		x.Scale(f, x)
		return x
	}
	n, d := m.data().Dims()
	equal := mat.NewDense(20, d, nil)
	equal.Apply(func(_, j int, _ float64) float64 { return 0.1 * float64(j+1) }, equal)
	return errors.Join(
		m.answersOrRefuses(ctx, "one row", mat.NewDense(1, d, nil)), m.answersOrRefuses(ctx, "equal rows", equal), m.answersOrRefuses(ctx, "zeros", mat.NewDense(20, d, nil)),
		m.answersOrRefuses(ctx, "one column", mat.DenseCopyOf(m.data().Slice(0, min(30, n), 0, 1))),
		m.answersOrRefuses(ctx, "scale 1e150", scaled(1e150)), m.answersOrRefuses(ctx, "scale 1e-150", scaled(1e-150)), m.answersOrRefuses(ctx, "scale 1e300", scaled(1e300)),
	)
}

// answersOrRefuses wants a model without a NaN or an error of ml's, and neither a panic nor a hang.
func (m Method[M]) answersOrRefuses(ctx context.Context, what string, x mat.Matrix) error {
	model, err, broken := m.fit(ctx, x)
	switch {
	case broken != nil:
		return fmt.Errorf("%s: %w", what, broken)
	case err != nil:
		for _, kind := range []error{ml.ErrEmpty, ml.ErrNotFinite, ml.ErrShape, ml.ErrParameter, ml.ErrNotConverged} {
			if errors.Is(err, kind) {
				return nil
			}
		}
		return fmt.Errorf("%s: the error %q wraps none of ml's", what, err)
	case model == nil:
		return fmt.Errorf("%s: neither a model nor an error", what)
	}
	if where := findNaN("model", reflect.ValueOf(model), 0); where != "" {
		return fmt.Errorf("%s: %s is NaN", what, where)
	}
	return nil
}

// findNaN names an exported number of a model that is NaN.
func findNaN(name string, v reflect.Value, depth int) string {
	if depth > 8 || !v.IsValid() || !v.CanInterface() {
		return ""
	}
	if x, ok := v.Interface().(mat.Matrix); ok {
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return ""
		}
		r, c := x.Dims()
		for i := range r {
			for j := range c {
				if math.IsNaN(x.At(i, j)) {
					return fmt.Sprintf("%s[%d, %d]", name, i, j)
				}
			}
		}
		return ""
	}
	switch v.Kind() {
	case reflect.Float64:
		if math.IsNaN(v.Float()) {
			return name
		}
	case reflect.Pointer, reflect.Interface:
		return findNaN(name, v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if where := findNaN(name+"."+v.Type().Field(i).Name, v.Field(i), depth+1); where != "" {
				return where
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if where := findNaN(fmt.Sprintf("%s[%d]", name, i), v.Index(i), depth+1); where != "" {
				return where
			}
		}
	}
	return ""
}

func (m Method[M]) cancelled(ctx context.Context, _ string) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	since := start()
	_, err, broken := m.fit(ended, m.data())
	if broken != nil {
		return broken
	}
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("with an ended context the error is %v, want context.Canceled", err)
	}
	if err := since.late(); err != nil {
		return err
	}
	if m.Iterate == nil {
		return nil
	}
	var last error
	for _, err := range m.Iterate(ended, m.data()) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		return fmt.Errorf("with an ended context Iterate ends with %v, want context.Canceled", last)
	}
	return nil
}

func (m Method[M]) saveLoad(ctx context.Context, dir string) error {
	model, err := m.must(ctx, m.data())
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "model.zip")
	if err := ml.Save(path, model); err != nil {
		return err
	}
	again, err := ml.Load[M](path)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(model, again) {
		return errors.New("the loaded model differs from the saved one")
	}
	return nil
}

func (m Method[M]) permuted(ctx context.Context, _ string) error {
	x := m.data()
	n, d := x.Dims()
	perm := rng.New(2).Perm(n)
	y := mat.NewDense(n, d, nil)
	for i, p := range perm {
		y.SetRow(i, x.RawRowView(p))
	}
	a, err := m.must(ctx, x)
	if err != nil {
		return err
	}
	b, err := m.must(ctx, y)
	if err != nil {
		return err
	}
	la, lb := m.Labels(a), m.Labels(b)
	if len(la) != n || len(lb) != n {
		return fmt.Errorf("%d and %d labels for %d rows", len(la), len(lb), n)
	}
	// Clusters may be numbered otherwise: the pairs of rows that are together must be the same.
	for i := range n {
		for j := range i {
			if (la[perm[i]] == la[perm[j]]) != (lb[i] == lb[j]) {
				return fmt.Errorf("rows %d and %d are together in one order of the rows and apart in another", perm[i], perm[j])
			}
		}
	}
	return nil
}

func (m Method[M]) subset(ctx context.Context, _ string) error {
	x := m.data()
	n, d := x.Dims()
	model, err := m.must(ctx, x)
	if err != nil {
		return err
	}
	all, err := m.Predict(model, x)
	if err != nil {
		return err
	}
	for _, s := range [][2]int{{0, 1}, {n / 3, n / 2}, {n - 1, n}} {
		part, err := m.Predict(model, x.Slice(s[0], s[1], 0, d))
		if err != nil {
			return err
		}
		if !slices.Equal(part, all[s[0]:s[1]]) {
			return fmt.Errorf("rows %d to %d: predicted %v alone and %v among all", s[0], s[1]-1, part, all[s[0]:s[1]])
		}
	}
	if _, err := m.Predict(model, mat.NewDense(1, d+1, nil)); !errors.Is(err, ml.ErrShape) {
		return fmt.Errorf("with a column too many Predict says %v, want an error that wraps %q", err, ml.ErrShape)
	}
	return nil
}

func (m Method[M]) neverRises(ctx context.Context, _ string) error {
	before, steps := math.Inf(1), 0
	seen := map[*M]bool{}
	for model, err := range m.Iterate(ctx, m.data()) {
		if err != nil {
			return err
		}
		if seen[model] {
			return fmt.Errorf("step %d yields a model that an earlier step yielded; each must be a fresh value", steps)
		}
		seen[model] = true
		now := m.Objective(model)
		// A NaN fails the comparison too.
		if !(now <= before) {
			return fmt.Errorf("at step %d the objective goes from %v to %v", steps, before, now)
		}
		before, steps = now, steps+1
	}
	if steps == 0 {
		return errors.New("nothing is yielded by Iterate")
	}
	return nil
}
