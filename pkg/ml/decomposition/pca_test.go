package decomposition

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

type pcaReference struct {
	K                  int
	Singular           []float64
	Components         [][]float64
	Variance, Ratio    []float64
	Noise              float64
	LogProb            []float64
	StandardRatio      []float64   `json:"standard_ratio"`
	StandardComponents [][]float64 `json:"standard_components"`
}

func data(name string) *mat.Dense {
	switch name {
	case "iris":
		return datasets.Iris().X
	case "wine":
		return datasets.Wine().X
	case "wide":
		return mat.DenseCopyOf(datasets.Digits().X.Slice(0, 20, 0, 64))
	}
	return datasets.Digits().X
}

// upToSigns is the largest difference of rows that may each have the other sign.
func upToSigns(got *mat.Dense, want [][]float64) (gap float64) {
	for c, w := range want {
		same, other := 0.0, 0.0
		for j, v := range got.RawRowView(c) {
			same, other = max(same, math.Abs(v-w[j])), max(other, math.Abs(v+w[j]))
		}
		gap = max(gap, min(same, other))
	}
	return gap
}

// Singular values to LAPACK's digits, and all the rest to scikit-learn's, by each solver.
func TestPCAAgainstReferences(t *testing.T) {
	all := mltest.ReadJSON[map[string]pcaReference](t, "pca.json")
	for _, name := range []string{"iris", "wine", "digits", "wide"} {
		want, x := all[name], data(name)
		// A vector's error is the root of a value's; products with random vectors tell values apart
		// that lie near each other as well as seven powers of the matrix do.
		for solver, tol := range map[Solver]float64{"": 1e-11, SVD: 1e-11, Covariance: 1e-10, Randomized: 1e-6} {
			m, err := PCA{Components: want.K, Solver: solver}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s, %q: ", name, solver)
			for c, s := range want.Singular {
				if math.Abs(m.Singular[c]/s-1) > tol {
					t.Errorf("%ssingular value %d is %v, LAPACK's %v", what, c, m.Singular[c], s)
				}
			}
			if gap := mltest.Gap(m.Variance, want.Variance); gap > 10*tol {
				t.Errorf("%svariances differ by %v", what, gap)
			}
			if gap := mltest.Gap(m.Ratio, want.Ratio); gap > 10*tol {
				t.Errorf("%sratios differ by %v", what, gap)
			}
			if math.Abs(m.Noise/want.Noise-1) > 100*tol {
				t.Errorf("%sthe noise is %v, want %v", what, m.Noise, want.Noise)
			}
			if gap := upToSigns(m.Components, want.Components); gap > max(1e-8, math.Sqrt(tol)) {
				t.Errorf("%scomponents differ by %v", what, gap)
			}
			n, d := x.Dims()
			logp, err := m.LogProb(t.Context(), x.Slice(0, min(10, n), 0, d))
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.Gap(logp, want.LogProb); gap > 1000*tol {
				t.Errorf("%slog p differs by %v: %v, want %v", what, gap, logp, want.LogProb)
			}
		}
		s, err := PCA{Components: want.K, Standardized: true}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.Gap(s.Ratio, want.StandardRatio); gap > 1e-9 {
			t.Errorf("%s, standardized: ratios differ by %v", name, gap)
		}
		if gap := upToSigns(s.Components, want.StandardComponents); gap > 1e-7 {
			t.Errorf("%s, standardized: components differ by %v", name, gap)
		}
	}
}

// What holds for any data: orthonormal components; variances that add up to those of the columns
// and are those of the scores; reconstruction exact with all components; signs that permuted rows
// leave.
func TestPCAProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(2, 12).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "d")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, d)
		solver := rapid.SampledFrom([]Solver{SVD, Covariance, Randomized}).Draw(t, "solver")
		p := PCA{Solver: solver, Uncentered: rapid.Bool().Draw(t, "uncentered"), Standardized: rapid.Bool().Draw(t, "standardized"),
			Divisor: rapid.SampledFrom([]Divisor{Sample, Population}).Draw(t, "divisor")}
		m, err := p.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		k, _ := m.Components.Dims()
		if k != min(n, d) || m.Noise != 0 {
			t.Fatalf("%d components of %d×%d, noise %v", k, n, d, m.Noise)
		}
		var gram mat.Dense
		gram.Mul(m.Components, m.Components.T())
		one := mat.NewDense(k, k, nil)
		for c := range k {
			one.Set(c, c, 1)
		}
		if gap := mltest.MatrixGap(&gram, one); gap > 1e-10 {
			t.Fatalf("components are orthonormal to %v", gap)
		}
		sum := 0.0
		for _, v := range m.Variance {
			sum += v
		}
		if math.Abs(sum-m.Total) > 1e-9*(1+m.Total) {
			t.Fatalf("variances add up to %v, those of the columns to %v", sum, m.Total)
		}
		z, err := m.Transform(x)
		if err != nil {
			t.Fatal(err)
		}
		for c := range k {
			own := mat.Dot(z.ColView(c), z.ColView(c)) / m.Divisor.of(n)
			if math.Abs(own-m.Variance[c]) > 1e-9*(1+m.Total) {
				t.Fatalf("component %d: scores have the variance %v, the model says %v", c, own, m.Variance[c])
			}
		}
		back, err := m.Inverse(z)
		if err != nil || mltest.MatrixGap(back, x) > 1e-9 {
			t.Fatalf("with all components the data come back off by %v (%v)", mltest.MatrixGap(back, x), err)
		}
		shuffled := mat.NewDense(n, d, nil)
		for i, from := range rng.New(3).Perm(n) {
			shuffled.SetRow(i, x.RawRowView(from))
		}
		again, err := p.Fit(context.Background(), shuffled)
		if err != nil {
			t.Fatal(err)
		}
		for c := range k {
			if m.Variance[c] < 1e-3*m.Variance[0] || c+1 < k && m.Variance[c]-m.Variance[c+1] < 1e-3*m.Variance[0] || c > 0 && m.Variance[c-1]-m.Variance[c] < 1e-3*m.Variance[0] {
				continue // hardly determined
			}
			if gap := mltest.MatrixGap(again.Components.RowView(c), m.Components.RowView(c)); gap > 1e-6 {
				t.Fatalf("component %d is off by %v after the rows are shuffled", c, gap)
			}
		}
	})
}

// Whitened scores have a variance of 1 by the stated divisor; what did not vary is left out, not
// blown up.
func TestWhitening(t *testing.T) {
	x := mltest.Normal(5, 1000, 4)
	for divisor, of := range map[Divisor]float64{Sample: 999, Population: 1000} {
		m, err := PCA{Divisor: divisor}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		z, err := m.Whiten(x)
		if err != nil {
			t.Fatal(err)
		}
		for c := range 4 {
			if v := mat.Dot(z.ColView(c), z.ColView(c)) / of; math.Abs(v-1) > 1e-12 {
				t.Errorf("%s: the variance of whitened component %d is %v", divisor, c, v)
			}
		}
	}
	deficient := mat.NewDense(1000, 10, nil) // rank 3
	deficient.Mul(mltest.Normal(6, 1000, 3), mltest.Normal(7, 3, 10))
	for _, solver := range []Solver{SVD, Covariance, Randomized} {
		m, err := PCA{Solver: solver}.Fit(t.Context(), deficient)
		if err != nil {
			t.Fatal(err)
		}
		z, err := m.Whiten(deficient)
		if err != nil {
			t.Fatal(err)
		}
		n, r := z.Dims()
		largest := 0.0
		for i := range n {
			for c := range r {
				largest = max(largest, math.Abs(z.At(i, c)))
			}
		}
		if r != 3 || m.Rank != 3 || largest > 5 {
			t.Errorf("%s: %d whitened directions of rank 3, scores up to %v", solver, r, largest)
		}
	}
}

// The log-likelihood of the maximum-likelihood fit has a closed form (Tipping & Bishop, 1999), and
// no other noise is better.
func TestProbabilisticPCAIsTheMaximum(t *testing.T) {
	x := datasets.Wine().X
	n, d := x.Dims()
	m, err := PCA{Components: 3, Divisor: Population}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for _, v := range m.Variance {
		want += math.Log(v)
	}
	want = -0.5 * (want + float64(d-3)*math.Log(m.Noise) + float64(d)*(1+math.Log(2*math.Pi)))
	mean := func(m *PCAModel) float64 {
		logp, err := m.LogProb(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		return stat.Mean(logp, nil)
	}
	if got := mean(m); math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("the mean log-likelihood of %d rows is %v, its closed form %v", n, got, want)
	}
	for _, by := range []float64{0.9, 1.1} {
		other := *m
		other.Noise = m.Noise * by
		if mean(&other) >= want {
			t.Errorf("with %v times the noise the likelihood is no lower", by)
		}
	}
	s, err := m.Sample(t.Context(), 20000, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := PCA{Components: 3, Divisor: Population}.Fit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for c, v := range again.Variance {
		if math.Abs(v/m.Variance[c]-1) > 0.05 { // √(2/20000) = 1 %
			t.Errorf("samples have the variance %v along component %d, want %v", v, c, m.Variance[c])
		}
	}
	if math.Abs(again.Noise/m.Noise-1) > 0.05 {
		t.Errorf("samples have the noise %v, want %v", again.Noise, m.Noise)
	}
}

func TestPCAConformance(t *testing.T) {
	for _, p := range []PCA{{}, {Components: 1, Solver: Covariance}, {Components: 1, Solver: Randomized}, {Standardized: true}} {
		mltest.Run(t, mltest.Method[PCAModel]{Fit: p.Fit})
	}
	mltest.Run(t, mltest.Method[PCAModel]{Fit: IncrementalPCA{Batch: 7}.Fit})
	mltest.Run(t, mltest.Method[AdaptiveModel]{Fit: PowerIteration{}.Fit, Iterate: PowerIteration{}.Iterate})
	mltest.Run(t, mltest.Method[AdaptiveModel]{Fit: Sanger{}.Fit, Iterate: Sanger{}.Iterate})
	mltest.Run(t, mltest.Method[ParallelModel]{Fit: ParallelAnalysis{Draws: 5}.Fit})
}

func TestSavedModels(t *testing.T) {
	mltest.Saved[PCAModel](t, "testdata/pca-format1.zip")
	mltest.Saved[AdaptiveModel](t, "testdata/adaptive-format1.zip")
	mltest.Saved[ParallelModel](t, "testdata/parallel-format1.zip")
}

func TestPCARefuses(t *testing.T) {
	x := mltest.Normal(1, 6, 4)
	ctx := t.Context()
	mltest.Refused(t, "too many", mltest.Err(PCA{Components: 5}.Fit(ctx, x)), ml.ErrParameter, "Components = 5", "1 to 4")
	mltest.Refused(t, "negative", mltest.Err(PCA{Components: -1}.Fit(ctx, x)), ml.ErrParameter, "Components = -1")
	mltest.Refused(t, "solver", mltest.Err(PCA{Solver: "jacobi"}.Fit(ctx, x)), ml.ErrParameter, "jacobi")
	mltest.Refused(t, "divisor", mltest.Err(PCA{Divisor: "n-2"}.Fit(ctx, x)), ml.ErrParameter, "n-2")
	mltest.Refused(t, "batch", mltest.Err(IncrementalPCA{Components: 3, Batch: 2}.Fit(ctx, x)), ml.ErrParameter, "Batch = 2")
	mltest.Refused(t, "rate", mltest.Err(Sanger{Rate: 2}.Fit(ctx, x)), ml.ErrParameter, "Rate = 2")
	mltest.Refused(t, "quantile", mltest.Err(ParallelAnalysis{Quantile: 1}.Fit(ctx, x)), ml.ErrParameter, "Quantile = 1")
	m, err := PCA{}.Fit(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "columns", mltest.Err(m.Transform(mat.NewDense(1, 3, nil))), ml.ErrShape)
	mltest.Refused(t, "scores", mltest.Err(m.Inverse(mat.NewDense(1, 5, nil))), ml.ErrShape, "5 columns", "4 components")
	mltest.Refused(t, "no samples", mltest.Err(m.Sample(ctx, 0, 1)), ml.ErrParameter, "n = 0")
	flat, err := PCA{Components: 2}.Fit(ctx, mat.NewDense(5, 3, nil)) // all rows equal
	if err != nil || flat.Rank != 0 || flat.Total != 0 {
		t.Fatalf("equal rows: %+v, %v", flat, err)
	}
	mltest.Refused(t, "equal rows", mltest.Err(flat.LogProb(ctx, mat.NewDense(1, 3, nil))), ml.ErrParameter, "Noise = 0")
	mltest.Refused(t, "equal rows", mltest.Err(flat.Whiten(mat.NewDense(1, 3, nil))), ml.ErrParameter, "Rank = 0")
}

// scikit-learn's report 12234: a last batch of one row. And the values of its own incremental PCA.
func TestIncrementalPCA(t *testing.T) {
	want := mltest.ReadJSON[map[string]struct {
		Singular, Mean, Variance []float64
		Components               [][]float64
	}](t, "pca.json")["incremental"]
	m, err := IncrementalPCA{Components: 2, Batch: 10}.Fit(t.Context(), datasets.Iris().X.Slice(0, 101, 0, 4))
	if err != nil {
		t.Fatal(err)
	}
	if gap := mltest.Gap(m.Singular, want.Singular); gap > 0.02 { // a last batch of one row is joined to the one before there
		t.Errorf("singular values %v, scikit-learn's %v", m.Singular, want.Singular)
	}
	if gap := mltest.Gap(m.Mean, want.Mean); gap > 1e-12 {
		t.Errorf("means %v, want %v", m.Mean, want.Mean)
	}
	if gap := upToSigns(m.Components, want.Components); gap > 0.02 {
		t.Errorf("components differ by %v", gap)
	}
	// With all directions nothing is forgotten: the result is PCA's, whatever the batches.
	x := datasets.Wine().X
	whole, err := PCA{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{13, 20, 177, 1000} {
		m, err := IncrementalPCA{Components: 13, Batch: batch}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for c, s := range whole.Singular {
			if math.Abs(m.Singular[c]/s-1) > 1e-9 {
				t.Errorf("batches of %d: singular value %d is %v, want %v", batch, c, m.Singular[c], s)
			}
		}
		if math.Abs(m.Total/whole.Total-1) > 1e-12 {
			t.Errorf("batches of %d: the variances add up to %v, want %v", batch, m.Total, whole.Total)
		}
	}
}

// A stream's memory does not grow with the rows that have gone by.
func TestStreamMemoryIsConstant(t *testing.T) {
	s, err := IncrementalPCA{Components: 3}.Start(20)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "no row yet", mltest.Err(s.Model()), ml.ErrEmpty, "no row")
	truth := mltest.Normal(1, 3, 20)
	batch := func(k int) *mat.Dense {
		x := mat.NewDense(50, 20, nil)
		x.Mul(mltest.Normal(uint64(k+10), 50, 3), truth)
		x.Add(x, mltest.Normal(uint64(k+100000), 50, 20))
		return x
	}
	allocated := func(from, to int) float64 {
		k := from
		return testing.AllocsPerRun(to-from, func() {
			if err := s.Add(t.Context(), batch(k)); err != nil {
				t.Fatal(err)
			}
			k++
		})
	}
	early := allocated(0, 20)
	for k := 20; k < 400; k++ {
		if err := s.Add(t.Context(), batch(k)); err != nil {
			t.Fatal(err)
		}
	}
	if late := allocated(400, 420); late > 1.2*early {
		t.Errorf("a batch takes %v allocations at first and %v after 20,000 rows", early, late)
	}
	m, err := s.Model()
	if err != nil || m.Rows != 50*422 {
		t.Fatalf("%d rows, %v", m.Rows, err)
	}
	var gram mat.Dense
	gram.Mul(m.Components, truth.T())
	kept := mat.Norm(&gram, 2) // of the truth's directions
	if ratio := kept * kept / math.Pow(mat.Norm(truth, 2), 2); ratio < 0.99 {
		t.Errorf("the directions hold %v of the truth's", ratio)
	}
}

// Power iteration and Sanger's rule come to the components of PCA.
func TestAdaptiveMethodsFindTheComponents(t *testing.T) {
	x := datasets.Iris().X
	want, err := PCA{Components: 3, Divisor: Population}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	p, err := PowerIteration{Components: 3}.Fit(t.Context(), x)
	if err != nil || !p.Converged || p.Found != 3 {
		t.Fatalf("power iteration: %+v, %v", p, err)
	}
	if gap := mltest.MatrixGap(p.Components, want.Components); gap > 1e-7 {
		t.Errorf("power iteration is off by %v", gap)
	}
	if gap := mltest.Gap(p.Variance, want.Variance); gap > 1e-10 {
		t.Errorf("variances by power iteration: %v, want %v", p.Variance, want.Variance)
	}
	short, err := PowerIteration{Components: 3, MaxIter: 2}.Fit(t.Context(), x)
	if err != nil || short.Converged || short.Steps != 6 {
		t.Errorf("two steps each: %+v, %v", short, err)
	}
	for seed := range uint64(3) {
		s, err := Sanger{Components: 2, Epochs: 200, Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for c := range 2 {
			v := s.Components.RowView(c)
			if along := math.Abs(mat.Dot(v, want.Components.RowView(c))) / mat.Norm(v, 2); along < 0.98 || math.Abs(mat.Norm(v, 2)-1) > 0.01 {
				t.Errorf("seed %d: Sanger's component %d has a cosine of %v and a length of %v", seed, c, along, mat.Norm(v, 2))
			}
		}
	}
}

// Three hidden factors in ten variables: parallel analysis counts them, and finds none in noise.
func TestParallelAnalysisCountsFactors(t *testing.T) {
	x := mat.NewDense(300, 10, nil)
	x.Mul(mltest.Normal(1, 300, 3), mltest.Normal(2, 3, 10))
	x.Add(x, mltest.Normal(3, 300, 10))
	m, err := ParallelAnalysis{PCA: PCA{Standardized: true}, Seed: 1}.Fit(t.Context(), x)
	if err != nil || m.Components != 3 {
		t.Errorf("%d components of three factors (%v)", m.Components, err)
	}
	most := 0
	for seed := range uint64(20) {
		m, err := ParallelAnalysis{PCA: PCA{Standardized: true}, Draws: 40, Seed: seed}.Fit(t.Context(), mltest.Normal(100+seed, 300, 10))
		if err != nil {
			t.Fatal(err)
		}
		most += m.Components
	}
	if most > 5 { // one in twenty by chance
		t.Errorf("%d components in twenty data sets of noise", most)
	}
	if k := Kink([]float64{10, 8, 7, 1, 0.9, 0.8, 0.7}); k != 3 {
		t.Errorf("the kink is after %d values, want 3", k)
	}
	if k := Kink([]float64{3, 2, 1}); k != 0 {
		t.Errorf("a straight line has a kink after %d values", k)
	}
}
