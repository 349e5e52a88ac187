package statespace

import (
	"context"
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

var nan = math.NaN()

// spread is a random covariance.
func spread(seed uint64, n int) *mat.SymDense {
	a := mltest.Normal(seed, n, n)
	s := mat.NewSymDense(n, nil)
	s.SymOuterK(1/float64(n), a)
	for i := range n {
		s.SetSym(i, i, s.At(i, i)+0.2)
	}
	return s
}

// turning is a system of k states, the first two of which turn by 0.3 a step.
func turning(seed uint64, k, d int) *System {
	r := rng.New(seed)
	a := mat.NewDense(k, k, nil)
	for i := range k {
		a.Set(i, i, 0.9-0.1*float64(i))
	}
	if k > 1 {
		sin, cos := math.Sincos(0.3)
		for i, v := range []float64{cos, -sin, sin, cos} {
			a.Set(i/2, i%2, 0.95*v)
		}
	}
	return &System{Mean: mltest.Normal(r.Uint64(), 1, k).RawRowView(0), Cov: spread(r.Uint64(), k), Step: Step{A: a, Drift: mltest.Normal(r.Uint64(), 1, k).RawRowView(0),
		Q: spread(r.Uint64(), k), C: mltest.Normal(r.Uint64(), d, k), Offset: mltest.Normal(r.Uint64(), 1, d).RawRowView(0), R: spread(r.Uint64(), d)}}
}

func draw(t testing.TB, s *System, seed uint64, lengths ...int) *trials.Trials {
	t.Helper()
	x, _, err := s.SampleTrials(context.Background(), lengths, seed)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// dense is the joint Gaussian of a trial: the states' mean and precision, which is block
// tridiagonal, and the mean and covariance of all that is seen.
type dense struct {
	mean      []float64
	precision *mat.SymDense
	seen      []float64
	cov       *mat.SymDense
}

func jointly(s *System, steps int) dense {
	at := func(t int) Step {
		if s.At == nil {
			return s.Step
		}
		return s.At(t).or(s.Step)
	}
	k, _ := s.A.Dims()
	d, _ := s.C.Dims()
	out := dense{make([]float64, k*steps), mat.NewSymDense(k*steps, nil), make([]float64, d*steps), mat.NewSymDense(d*steps, nil)}
	add := func(i, j int, m mat.Matrix) {
		for a := range k {
			for b := range k {
				if i*k+a <= j*k+b {
					out.precision.SetSym(i*k+a, j*k+b, out.precision.At(i*k+a, j*k+b)+m.At(a, b))
				}
			}
		}
	}
	covs := make([]*mat.Dense, steps) // of each state before anything is seen
	for t := range steps {
		m := at(t)
		if t == 0 {
			copy(out.mean, s.Mean)
			covs[0] = mat.DenseCopyOf(s.Cov)
			var inv mat.Dense
			if err := inv.Inverse(s.Cov); err != nil {
				panic(err)
			}
			add(0, 0, &inv)
		} else {
			var z mat.VecDense
			z.MulVec(m.A, mat.NewVecDense(k, out.mean[(t-1)*k:t*k]))
			floats.AddTo(out.mean[t*k:(t+1)*k], z.RawVector().Data, m.Drift)
			covs[t] = &mat.Dense{}
			covs[t].Product(m.A, covs[t-1], m.A.T())
			covs[t].Add(covs[t], m.Q)
			var inv, qa, aqa mat.Dense
			if err := inv.Inverse(m.Q); err != nil {
				panic(err)
			}
			add(t, t, &inv)
			qa.Mul(m.A.T(), &inv)
			aqa.Mul(&qa, m.A)
			add(t-1, t-1, &aqa)
			qa.Scale(-1, &qa)
			add(t-1, t, &qa)
		}
		var x mat.VecDense
		x.MulVec(m.C, mat.NewVecDense(k, out.mean[t*k:(t+1)*k]))
		floats.AddTo(out.seen[t*d:(t+1)*d], x.RawVector().Data, m.Offset)
		between := mat.DenseCopyOf(covs[t]) // Cov(z_u, z_t) for u from t on
		for u := t; u < steps; u++ {
			if u > t {
				var next mat.Dense
				next.Mul(at(u).A, between)
				between = &next
			}
			var c mat.Dense
			c.Product(at(u).C, between, m.C.T())
			for a := range d {
				for b := range d {
					v := c.At(a, b)
					if u == t {
						v = (c.At(a, b)+c.At(b, a))/2 + m.R.At(a, b)
					}
					out.cov.SetSym(t*d+b, u*d+a, v)
				}
			}
		}
	}
	return out
}

// given conditions the states on what is seen of a trial.
func (j dense) given(s *System, x *mat.Dense) (mean []float64, cov *mat.Dense, loglik float64) {
	steps, d := x.Dims()
	k, _ := s.A.Dims()
	precision, info := mat.DenseCopyOf(j.precision), mat.NewVecDense(k*steps, nil)
	info.MulVec(j.precision, mat.NewVecDense(k*steps, j.mean))
	var seen []int
	for t := range steps {
		m := s.Step
		if s.At != nil {
			m = s.At(t).or(s.Step)
		}
		var vars []int
		for v := range d {
			if !math.IsNaN(x.At(t, v)) {
				vars, seen = append(vars, v), append(seen, t*d+v)
			}
		}
		if vars == nil {
			continue
		}
		c, r, e := mat.NewDense(len(vars), k, nil), mat.NewDense(len(vars), len(vars), nil), mat.NewVecDense(len(vars), nil)
		for a, v := range vars {
			c.SetRow(a, m.C.RawRowView(v))
			e.SetVec(a, x.At(t, v)-m.Offset[v])
			for b, w := range vars {
				r.Set(a, b, m.R.At(v, w))
			}
		}
		var inv, ci, g mat.Dense
		if err := inv.Inverse(r); err != nil {
			panic(err)
		}
		ci.Mul(c.T(), &inv)
		g.Mul(&ci, c)
		var y mat.VecDense
		y.MulVec(&ci, e)
		for a := range k {
			info.SetVec(t*k+a, info.AtVec(t*k+a)+y.AtVec(a))
			for b := range k {
				precision.Set(t*k+a, t*k+b, precision.At(t*k+a, t*k+b)+g.At(a, b))
			}
		}
	}
	cov = &mat.Dense{}
	if err := cov.Inverse(precision); err != nil {
		panic(err)
	}
	var z mat.VecDense
	z.MulVec(cov, info)
	n := len(seen)
	if n == 0 {
		return z.RawVector().Data, cov, 0
	}
	s2, e := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	for a, i := range seen {
		e.SetVec(a, x.At(i/d, i%d)-j.seen[i])
		for b := range a + 1 {
			s2.SetSym(a, b, j.cov.At(i, seen[b]))
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(s2) {
		panic("no covariance")
	}
	var w mat.VecDense
	if err := chol.SolveVecTo(&w, e); err != nil {
		panic(err)
	}
	return z.RawVector().Data, cov, -(mat.Dot(e, &w) + chol.LogDet() + float64(n)*math.Log(2*math.Pi)) / 2
}

// The smoother is the inverse of the block tridiagonal precision, and the log-likelihood that of
// the dense Gaussian, whatever is missing and with matrices that change.
func TestSmootherIsTheInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64Range(0, 1e6).Draw(t, "seed"))
		k, d, steps := rapid.IntRange(1, 3).Draw(t, "k"), rapid.IntRange(1, 4).Draw(t, "d"), rapid.IntRange(1, 7).Draw(t, "steps")
		s := turning(r.Uint64(), k, d)
		if rapid.Bool().Draw(t, "varying") {
			list := make([]Step, steps)
			for i := range list {
				list[i] = turning(r.Uint64(), k, d).Step
				if r.IntN(2) == 0 {
					list[i].C, list[i].Drift = nil, nil // the system's own
				}
			}
			s.At = func(i int) Step { return list[i] }
		}
		if rapid.Bool().Draw(t, "diagonal noise") {
			s.R = mat.NewSymDense(d, nil)
			for j := range d {
				s.R.SetSym(j, j, 0.1+r.Float64())
			}
		}
		series := mat.NewDense(steps, d, nil)
		series.Apply(func(_, _ int, _ float64) float64 { return 2 * r.NormFloat64() }, series)
		for i := range steps {
			for j := range d {
				if r.IntN(4) == 0 {
					series.Set(i, j, nan)
				}
			}
			if r.IntN(5) == 0 {
				series.SetRow(i, slices.Repeat([]float64{nan}, d))
			}
		}
		short := series.Slice(0, (steps+1)/2, 0, d)
		x, err := trials.New([]mat.Matrix{series, short, series})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Smooth(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		filtered, err := s.Filter(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		for trial := range 3 {
			n := x.Steps(trial)
			mean, cov, loglik := jointly(s, n).given(s, x.Trial(trial))
			if math.Abs(got.LogLikelihood[trial]-loglik) > 1e-10*max(1, math.Abs(loglik)) || got.LogLikelihood[trial] != filtered.LogLikelihood[trial] {
				t.Fatalf("log-likelihood %v, want %v", got.LogLikelihood[trial], loglik)
			}
			for i := range n {
				row := x.Start[trial] + i
				if gap := mltest.Gap(got.Mean.RawRowView(row), mean[i*k:(i+1)*k]); gap > 1e-10 {
					t.Fatalf("trial %d, step %d: the mean differs by %v", trial, i, gap)
				}
				if gap := mltest.MatrixGap(got.Cov[row], cov.Slice(i*k, (i+1)*k, i*k, (i+1)*k)); gap > 1e-10 {
					t.Fatalf("trial %d, step %d: the covariance differs by %v", trial, i, gap)
				}
				if i+1 == n {
					if got.Cross[row] != nil {
						t.Fatal("a covariance with a step after the last")
					}
					if gap := mltest.MatrixGap(got.Cov[row], filtered.Cov[row]); gap > 0 {
						t.Fatal("at the last step the smoother is not the filter")
					}
					continue
				}
				if gap := mltest.MatrixGap(got.Cross[row], cov.Slice((i+1)*k, (i+2)*k, i*k, (i+1)*k)); gap > 1e-10 {
					t.Fatalf("trial %d, step %d: the covariance with the next differs by %v", trial, i, gap)
				}
			}
		}
	})
}

type ldsReference struct {
	System struct {
		Mean, Drift, Offset []float64
		Cov, A, Q, C, R     [][]float64
	}
	Data              [][]float64
	Lost              []int
	Pykalman, Dynamax struct {
		Mean, Cov     [][]float64
		LogLikelihood float64
	}
	EM struct {
		Data, R                            [][]float64
		LogLikelihood, Eigenvalues, Offset []float64
	}
}

func (r ldsReference) system() *System {
	sym := func(rows [][]float64) *mat.SymDense { return symmetric(flat(mltest.FromRows(rows)), len(rows)) }
	return &System{Mean: r.System.Mean, Cov: sym(r.System.Cov), Step: Step{A: mltest.FromRows(r.System.A), Drift: r.System.Drift, Q: sym(r.System.Q),
		C: mltest.FromRows(r.System.C), Offset: r.System.Offset, R: sym(r.System.R)}}
}

func TestSmootherAgainstPeers(t *testing.T) {
	ref := mltest.ReadJSON[ldsReference](t, "lds.json")
	s, x := ref.system(), mltest.FromRows(ref.Data)
	lost := mat.DenseCopyOf(x)
	for _, i := range ref.Lost {
		lost.SetRow(i, slices.Repeat([]float64{nan}, 5))
	}
	missing, err := trials.New([]mat.Matrix{lost})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		x    mat.Matrix
		want struct {
			Mean, Cov     [][]float64
			LogLikelihood float64
		}
	}{"pykalman": {missing, ref.Pykalman}, "dynamax": {x, ref.Dynamax}} {
		got, err := s.Smooth(context.Background(), c.x)
		if err != nil {
			t.Fatal(err)
		}
		tolerance := map[string]float64{"pykalman": 1e-9, "dynamax": 1e-7}[name] // dynamax adds 1e-9 to what it inverts
		mltest.CloseTo(t, name+": log-likelihood", got.LogLikelihood, []float64{c.want.LogLikelihood}, tolerance)
		for i := range x.RawMatrix().Rows {
			mltest.CloseTo(t, name+": mean", got.Mean.RawRowView(i), c.want.Mean[i], tolerance)
			mltest.CloseTo(t, name+": covariance", flat(got.Cov[i]), c.want.Cov[i], tolerance)
		}
	}
}

// Ten steps of EM are dynamax's.
func TestEMAgainstDynamax(t *testing.T) {
	ref := mltest.ReadJSON[ldsReference](t, "lds.json")
	x, err := trials.Cut(mltest.FromRows(ref.EM.Data), []int{100})
	if err != nil {
		t.Fatal(err)
	}
	fit := LDS{Init: ref.system(), ObservationNoise: Full, MaxIter: 10, Tol: 1e-300}
	step := 0
	for m, err := range fit.Iterate(context.Background(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if step == 10 {
			mltest.CloseTo(t, "R", flat(m.R), flat(mltest.FromRows(ref.EM.R)), 1e-7)
			mltest.CloseTo(t, "offset", m.Offset, ref.EM.Offset, 1e-7)
			var moduli []float64
			for _, v := range m.Eigenvalues() {
				moduli = append(moduli, cmplx.Abs(v))
			}
			mltest.CloseTo(t, "eigenvalues", moduli, ref.EM.Eigenvalues, 1e-7)
			break
		}
		mltest.CloseTo(t, sprintf("log-likelihood after %d steps", step), []float64{m.LogLikelihood}, ref.EM.LogLikelihood[step:step+1], 1e-6)
		step++
	}
	if step != 10 {
		t.Fatalf("%d steps", step)
	}
}

// Coordinates of the state make no difference to what is seen.
func TestCoordinatesOfTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64Range(0, 1e6).Draw(t, "seed"))
		s := turning(r.Uint64(), 3, 5)
		turn := mltest.Normal(r.Uint64(), 3, 3)
		for i := range 3 {
			turn.Set(i, i, turn.At(i, i)+3)
		}
		other, err := s.Transformed(turn)
		if err != nil {
			t.Fatal(err)
		}
		orthonormal, err := s.Orthonormal()
		if err != nil {
			t.Fatal(err)
		}
		x, _, err := s.SampleTrials(context.Background(), []int{9, 4}, 1)
		if err != nil {
			t.Fatal(err)
		}
		x.X.Set(3, 1, nan)
		ctx := context.Background()
		want, err := s.Smooth(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := other.Smooth(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		var turned mat.Dense
		turned.Mul(want.Mean, turn.T())
		if gap := mltest.MatrixGap(got.Mean, &turned); gap > 1e-8 {
			t.Fatalf("T·z differs by %v", gap)
		}
		third, err := orthonormal.LogProb(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		if mltest.Gap(got.LogLikelihood, want.LogLikelihood) > 1e-9 || mltest.Gap(third, want.LogLikelihood) > 1e-9 {
			t.Fatalf("log-likelihoods %v, %v, %v", want.LogLikelihood, got.LogLikelihood, third)
		}
		var gram mat.Dense
		gram.Mul(orthonormal.C.T(), orthonormal.C)
		if gap := mltest.MatrixGap(&gram, mat.NewDiagDense(3, []float64{1, 1, 1})); gap > 1e-10 {
			t.Fatalf("the columns of C are not orthonormal: %v", gap)
		}
	})
}

// Whatever is missing, held or of a restricted form, no step lowers the likelihood, and what is
// held stays.
func TestEMNeverLowersTheLikelihood(t *testing.T) {
	base := turning(3, 2, 4)
	whole := draw(t, base, 5, 30, 12, 30, 7, 1)
	gaps := draw(t, base, 6, 30, 12, 30, 7, 1)
	r := rng.New(8)
	for i := range gaps.X.RawMatrix().Rows {
		switch r.IntN(5) {
		case 0:
			gaps.X.SetRow(i, slices.Repeat([]float64{nan}, 4))
		case 1:
			gaps.X.Set(i, r.IntN(4), nan)
		}
	}
	for i := range 12 { // a variable that a session did not record
		gaps.X.Set(30+i, 2, nan)
	}
	cases := map[string]LDS{
		"default": {}, "four states": {States: 4}, "five of four": {States: 5}, "full": {ObservationNoise: Full}, "isotropic": {ObservationNoise: Isotropic},
		"diagonal A": {Transition: Diagonal}, "diagonal A and drift": {Transition: Diagonal, Init: &System{Step: Step{Drift: []float64{0, 0}}}},
		"diagonal Q": {StateNoise: Diagonal}, "isotropic Q": {StateNoise: Isotropic}, "drift": {Init: base, ObservationNoise: Full},
	}
	for _, name := range ldsParameters {
		cases["hold "+name] = LDS{Init: base, Hold: []string{name}, ObservationNoise: Full}
		cases["learn "+name] = LDS{Init: base, Hold: slices.DeleteFunc(slices.Clone(ldsParameters), func(s string) bool { return s == name }), ObservationNoise: Full}
	}
	for name, l := range cases {
		for where, x := range map[string]*trials.Trials{"whole": whole, "gaps": gaps} {
			l.MaxIter, l.Tol = 25, 1e-300
			before := math.Inf(-1)
			var last *LDSModel
			for m, err := range l.Iterate(context.Background(), x) {
				if err != nil {
					t.Fatalf("%s, %s: %v", name, where, err)
				}
				if m.LogLikelihood < before-1e-9*math.Abs(before) {
					t.Errorf("%s, %s: the log-likelihood falls from %v to %v at step %d", name, where, before, m.LogLikelihood, m.Iterations)
				}
				before, last = m.LogLikelihood, m
			}
			logs, err := last.LogProb(context.Background(), x)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, where, err)
			}
			if sum := floats.Sum(logs); math.Abs(sum-last.LogLikelihood) > 1e-8*math.Abs(sum) {
				t.Errorf("%s, %s: the model says %v, its system %v", name, where, last.LogLikelihood, sum)
			}
			for _, h := range l.Hold {
				gap := map[string]float64{"A": mltest.MatrixGap(last.A, base.A), "Q": mltest.MatrixGap(last.Q, base.Q), "C": mltest.MatrixGap(last.C, base.C),
					"R": mltest.MatrixGap(last.R, base.R), "Cov": mltest.MatrixGap(last.Cov, base.Cov), "Drift": mltest.Gap(last.Drift, base.Drift),
					"Offset": mltest.Gap(last.Offset, base.Offset), "Mean": mltest.Gap(last.Mean, base.Mean)}
				if gap[h] != 0 {
					t.Errorf("%s: %s changed by %v", name, h, gap[h])
				}
			}
		}
	}
}

// A's eigenvalues and the space that C spans come back from a simulation.
func TestRecovery(t *testing.T) {
	s := turning(3, 3, 12)
	clear(s.Drift)
	s.R = mat.NewSymDense(12, nil)
	for j := range 12 {
		s.R.SetSym(j, j, 0.3+0.1*float64(j))
	}
	x := draw(t, s, 1, slices.Repeat([]int{100}, 40)...)
	m, err := LDS{States: 3, MaxIter: 100}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	truth := s.Eigenvalues()
	for i, v := range m.Eigenvalues() {
		if cmplx.Abs(v-truth[i]) > 0.03 {
			t.Errorf("eigenvalue %d is %v, want %v", i, v, truth[i])
		}
	}
	var a, b mat.SVD
	a.Factorize(s.C, mat.SVDThinU)
	b.Factorize(m.C, mat.SVDThinU)
	var u, v, between mat.Dense
	a.UTo(&u)
	b.UTo(&v)
	between.Mul(u.T(), &v)
	a.Factorize(&between, mat.SVDNone)
	if cosine := a.Values(nil)[2]; cosine < 0.995 {
		t.Errorf("the cosine of the largest angle between the spaces of C is %v", cosine)
	}
	want, err := s.LogProb(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if m.LogLikelihood < floats.Sum(want) {
		t.Errorf("the likelihood %v is below that of the truth, %v", m.LogLikelihood, floats.Sum(want))
	}
}

// A long filter with nearly exact observations and states that hardly move keeps its covariances
// symmetric and positive.
func TestCovariancesStayCovariances(t *testing.T) {
	s := turning(1, 4, 6)
	for j := range 6 {
		for i := range j {
			s.R.SetSym(i, j, 0)
		}
		s.R.SetSym(j, j, 1e-12)
	}
	s.Q.ScaleSym(1e-10, s.Q)
	x := draw(t, s, 1, 3000)
	got, err := s.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Cov {
		var es mat.EigenSym
		if !es.Factorize(c, false) {
			t.Fatal("no eigenvalues")
		}
		if v := es.Values(nil); v[0] <= 0 {
			t.Fatalf("step %d: eigenvalues %v", i, v)
		}
	}
}

// States without noise and a first state that is known: singular covariances have an answer, which
// is that of covariances that are nearly so.
func TestSingularCovariances(t *testing.T) {
	s := turning(2, 3, 4)
	s.Q, s.Cov = mat.NewSymDense(3, nil), mat.NewSymDense(3, nil)
	s.Q.SetSym(0, 0, 0.3)
	x := draw(t, s, 1, 20)
	got, err := s.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s.Q.SetSym(i, i, s.Q.At(i, i)+1e-9)
		s.Cov.SetSym(i, i, 1e-9)
	}
	want, err := s.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if gap := mltest.MatrixGap(got.Mean, want.Mean); gap > 1e-6 {
		t.Errorf("means differ by %v", gap)
	}
	mltest.CloseTo(t, "log-likelihood", got.LogLikelihood, want.LogLikelihood, 1e-5)
}

// A forecast is what the smoother says of steps that are missing at the end.
func TestForecast(t *testing.T) {
	s := turning(4, 2, 3)
	s.At = func(i int) Step { return Step{Drift: []float64{float64(i), 1}} }
	x := draw(t, s, 2, 8, 5)
	f, err := s.Forecast(context.Background(), x, 3)
	if err != nil {
		t.Fatal(err)
	}
	var longer []mat.Matrix
	for trial := range 2 {
		n := x.Steps(trial)
		y := mat.NewDense(n+3, 3, slices.Repeat([]float64{nan}, 3*(n+3)))
		y.Slice(0, n, 0, 3).(*mat.Dense).Copy(x.Trial(trial))
		longer = append(longer, y)
	}
	y, err := trials.New(longer)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Smooth(context.Background(), y)
	if err != nil {
		t.Fatal(err)
	}
	for trial := range 2 {
		for i := range 3 {
			row, at := 3*trial+i, y.Start[trial]+x.Steps(trial)+i
			mltest.CloseTo(t, "states", f.States.RawRowView(row), want.Mean.RawRowView(at), 1e-10)
			mltest.CloseTo(t, "their covariance", flat(f.StateCov[row]), flat(want.Cov[at]), 1e-10)
			var seen mat.VecDense
			seen.MulVec(s.C, want.Mean.RowView(at))
			floats.Add(seen.RawVector().Data, s.Offset)
			mltest.CloseTo(t, "what is seen", f.Mean.RawRowView(row), seen.RawVector().Data, 1e-10)
			var around mat.Dense
			around.Product(s.C, want.Cov[at], s.C.T())
			around.Add(&around, s.R)
			mltest.CloseTo(t, "its covariance", flat(f.Cov[row]), flat(&around), 1e-10)
		}
	}
	out, err := s.LeaveOut(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := trials.New([]mat.Matrix{x.Trial(0)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		hidden.X.Set(i, 1, nan)
	}
	z, err := s.Smooth(context.Background(), hidden)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		want := mat.Dot(s.C.RowView(1), z.Mean.RowView(i)) + s.Offset[1]
		mltest.CloseTo(t, "a variable left out", []float64{out.At(i, 1)}, []float64{want}, 1e-10)
	}
}

// Samples have the mean and covariance that the system says.
func TestSample(t *testing.T) {
	s := turning(4, 2, 2)
	const n = 20_000
	x := draw(t, s, 7, slices.Repeat([]int{3}, n)...)
	j := jointly(s, 3)
	mean, cov := make([]float64, 6), mat.NewDense(6, 6, nil)
	for trial := range n {
		e := slices.Clone(x.X.RawMatrix().Data[6*trial : 6*trial+6])
		floats.Sub(e, j.seen)
		floats.AddScaled(mean, 1.0/n, e)
		cov.RankOne(cov, 1.0/n, mat.NewVecDense(6, e), mat.NewVecDense(6, e))
	}
	for i := range 6 {
		if sd := math.Sqrt(j.cov.At(i, i) / n); math.Abs(mean[i]) > 5*sd {
			t.Errorf("mean %d is off by %v, %v expected", i, mean[i], sd)
		}
		for l := range 6 {
			want := j.cov.At(i, l)
			if sd := math.Sqrt((j.cov.At(i, i)*j.cov.At(l, l) + want*want) / n); math.Abs(cov.At(i, l)-want) > 5*sd {
				t.Errorf("covariance %d, %d is %v, want %v ± %v", i, l, cov.At(i, l), want, sd)
			}
		}
	}
}

func TestLDSConformance(t *testing.T) {
	data := draw(t, turning(1, 2, 3), 1, 60).X
	for name, l := range map[string]LDS{"default": {MaxIter: 20}, "full": {States: 3, ObservationNoise: Full, MaxIter: 20}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[LDSModel]{Fit: l.Fit, Iterate: l.Iterate, Data: data, Objective: func(m *LDSModel) float64 { return -math.Round(m.LogLikelihood*1e7) / 1e7 }})
		})
	}
}

func TestSavedLDS(t *testing.T) { mltest.Saved[LDSModel](t, "testdata/lds-format1.zip") }

func TestLDSBadInput(t *testing.T) {
	ctx := context.Background()
	x := draw(t, turning(1, 2, 3), 1, 20, 10)
	good := turning(1, 2, 3)
	with := func(change func(s *System)) *System {
		s := *good
		change(&s)
		return &s
	}
	constant, unseen := mat.DenseCopyOf(x.X), mat.DenseCopyOf(x.X)
	for i := range 30 {
		constant.Set(i, 1, 5)
		unseen.Set(i, 2, nan)
	}
	lost := &trials.Trials{X: unseen, Start: x.Start}
	for what, c := range map[string]struct {
		l    LDS
		x    mat.Matrix
		kind error
		says string
	}{
		"no states":        {LDS{States: -1}, x, ml.ErrParameter, "States"},
		"too many":         {LDS{States: 31}, x, ml.ErrParameter, "States"},
		"unknown":          {LDS{Hold: []string{"B"}}, x, ml.ErrParameter, `"B"`},
		"held without":     {LDS{Hold: []string{"A"}}, x, ml.ErrParameter, "Init.A"},
		"held vector":      {LDS{Hold: []string{"Offset"}}, x, ml.ErrParameter, "Init.Offset"},
		"a form":           {LDS{StateNoise: "round"}, x, ml.ErrParameter, "StateNoise"},
		"isotropic A":      {LDS{Transition: Isotropic}, x, ml.ErrParameter, "Transition"},
		"floor":            {LDS{Floor: 2}, x, ml.ErrParameter, "Floor"},
		"tolerance":        {LDS{Tol: nan}, x, ml.ErrParameter, "Tol"},
		"iterations":       {LDS{MaxIter: -1}, x, ml.ErrParameter, "MaxIter"},
		"varying":          {LDS{Init: with(func(s *System) { s.At = func(int) Step { return Step{} } })}, x, ml.ErrParameter, "Init.At"},
		"R of a form":      {LDS{Init: good}, x, ml.ErrParameter, "Init.R"},
		"Q of a form":      {LDS{Init: good, ObservationNoise: Full, StateNoise: Diagonal}, x, ml.ErrParameter, "Init.Q"},
		"A of a form":      {LDS{Init: good, ObservationNoise: Full, Transition: Diagonal}, x, ml.ErrParameter, "Init.A"},
		"shape":            {LDS{Init: with(func(s *System) { s.C = mltest.Normal(1, 4, 2) }), ObservationNoise: Full}, x, ml.ErrShape, "Init.C"},
		"NaN in A":         {LDS{Init: with(func(s *System) { s.A = mat.NewDense(2, 2, []float64{1, 0, nan, 1}) }), ObservationNoise: Full}, x, ml.ErrNotFinite, "row 1, column 0"},
		"no covariance":    {LDS{Init: with(func(s *System) { s.Q = mat.NewSymDense(2, []float64{1, 2, 2, 1}) }), ObservationNoise: Full}, x, ml.ErrParameter, "Init.Q"},
		"singular R":       {LDS{Init: with(func(s *System) { s.R = mat.NewSymDense(3, nil) })}, x, ml.ErrParameter, "Init.R"},
		"constant":         {LDS{}, constant, ml.ErrParameter, "variable 1"},
		"never seen":       {LDS{}, lost, ml.ErrParameter, "variable 2"},
		"NaN in a matrix":  {LDS{}, unseen, ml.ErrNotFinite, "column 2"},
		"trials of no sum": {LDS{}, &trials.Trials{X: x.X, Start: []int{0, 3}}, ml.ErrShape, "cover"},
	} {
		_, err := c.l.Fit(ctx, c.x)
		mltest.Refused(t, what, err, c.kind, c.says)
	}
	for what, c := range map[string]struct {
		s    *System
		kind error
		says string
	}{
		"nil":         {nil, ml.ErrEmpty, "nil"},
		"no A":        {with(func(s *System) { s.A = nil }), ml.ErrEmpty, "A"},
		"no Cov":      {with(func(s *System) { s.Cov = nil }), ml.ErrEmpty, "Cov"},
		"A":           {with(func(s *System) { s.A = mltest.Normal(1, 2, 3) }), ml.ErrShape, "A is 2×3"},
		"drift":       {with(func(s *System) { s.Drift = []float64{1} }), ml.ErrShape, "Drift"},
		"R":           {with(func(s *System) { s.R = mat.NewSymDense(3, nil) }), ml.ErrParameter, "R"},
		"variables":   {turning(1, 2, 4), ml.ErrShape, "4"},
		"a step of R": {with(func(s *System) { s.At = func(i int) Step { return Step{R: spread(1, 2+i)} } }), ml.ErrShape, "R"},
	} {
		_, err := c.s.Filter(ctx, x)
		mltest.Refused(t, what, err, c.kind, c.says)
	}
	mltest.Refused(t, "no steps", mltest.Err(good.Forecast(ctx, x, 0)), ml.ErrParameter, "steps")
	mltest.Refused(t, "singular T", mltest.Err(good.Transformed(mat.NewDense(2, 2, nil))), ml.ErrParameter, "T")
	mltest.Refused(t, "one variable", mltest.Err(turning(1, 2, 1).LeaveOut(ctx, mltest.Normal(1, 5, 1))), ml.ErrShape, "at least 2")
	if _, _, err := good.SampleTrials(ctx, []int{3, 0}, 1); err == nil {
		t.Error("a trial of no steps is drawn")
	}
}
