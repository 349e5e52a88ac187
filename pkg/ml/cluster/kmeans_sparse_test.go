package cluster

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// documents are rows of counts under topics, with few words of many.
func documents(seed uint64, n, words, topics int) (x *mat.Dense, topic []int) {
	r := rng.New(seed)
	x = mat.NewDense(n, words, nil)
	for i := range n {
		k := r.IntN(topics)
		topic = append(topic, k)
		for range 12 {
			j := k*words/topics + r.IntN(words/topics)
			if r.IntN(6) == 0 {
				j = r.IntN(words)
			}
			x.Set(i, j, x.At(i, j)+1)
		}
	}
	return x, topic
}

// From the same centers the way over sparse rows is the one over dense rows.
func TestSparseKMeansEqualsDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, topics := rapid.IntRange(12, 80).Draw(t, "n"), rapid.IntRange(1, 5).Draw(t, "topics")
		x, _ := documents(rapid.Uint64Range(0, 1000).Draw(t, "seed"), n, 30, topics)
		k := rapid.IntRange(1, 6).Draw(t, "K")
		size := math.Pow(10, float64(rapid.IntRange(-150, 150).Draw(t, "size")))
		r := rng.New(rapid.Uint64Range(0, 1000).Draw(t, "start"))
		init := mat.NewDense(k, 30, nil)
		init.Apply(func(_, _ int, _ float64) float64 { return r.Float64() }, init) // so that nothing ties
		x.Scale(size, x)
		init.Scale(size, init)
		sparse, err := csr.FromDense(x)
		if err != nil {
			t.Fatal(err)
		}
		want, err := KMeans{K: k, Init: init}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := KMeans{K: k, Init: init}.Fit(context.Background(), sparse)
		if err != nil {
			t.Fatal(err)
		}
		// Where a cluster ran empty or rows tie the two may go on differently: both are held to be
		// fixed points of Lloyd's.
		if slices.Equal(got.Labels, want.Labels) && !(math.Abs(got.Inertia-want.Inertia) <= 1e-9*want.Inertia+1e-300) {
			t.Fatalf("inertia %v, of the dense rows %v", got.Inertia, want.Inertia)
		}
		for name, rows := range map[string]mat.Matrix{"dense": x, "sparse": sparse} {
			labels, err := got.Predict(rows)
			if err != nil {
				t.Fatal(err)
			}
			other, err := got.Transform(x)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range labels {
				if least := slices.Min(other.RawRowView(i)); other.At(i, l) > least*(1+1e-9) {
					t.Fatalf("%s row %d is at %v from its center, and %v from another", name, i, other.At(i, l), least)
				}
			}
		}
	})
}

// The topics are found from every start, J falls, and the best is as good as of the dense rows.
func TestSparseKMeansFindsTopics(t *testing.T) {
	x, topic := documents(7, 400, 200, 4)
	sparse, err := csr.FromDense(x)
	if err != nil {
		t.Fatal(err)
	}
	dense, err := KMeans{K: 4}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []Start{GreedyPlusPlus, PlusPlus, RandomPoints} {
		m, err := KMeans{K: 4, Start: start, Restarts: 20}.Fit(t.Context(), sparse)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Converged || m.Inertia > dense.Inertia*1.001 {
			t.Errorf("%s: inertia %v, of the dense rows %v", start, m.Inertia, dense.Inertia)
		}
		of := map[int]int{}
		for i, l := range m.Labels {
			if k, ok := of[topic[i]]; ok && k != l {
				t.Errorf("%s: topic %d is in clusters %d and %d", start, topic[i], k, l)
				break
			}
			of[topic[i]] = l
		}
	}
	before := math.Inf(1)
	for m, err := range (KMeans{K: 6}).Iterate(t.Context(), sparse) {
		if err != nil || m.Inertia > before {
			t.Fatalf("step %d: %v after %v, %v", m.Iterations, m.Inertia, before, err)
		}
		before = m.Inertia
	}
}

func TestSparseKMeansConformance(t *testing.T) {
	fit := func(ctx context.Context, x mat.Matrix) (*KMeansModel, error) {
		if _, err := ml.Dense("cluster.KMeans", x); err != nil {
			return nil, err
		}
		sparse, err := csr.FromDense(x)
		if err != nil {
			return nil, err
		}
		return KMeans{K: 3}.Fit(ctx, sparse)
	}
	mltest.Run(t, mltest.Method[KMeansModel]{Fit: fit, Predict: (*KMeansModel).Predict, Labels: func(m *KMeansModel) []int { return m.Labels }})
}

// Rows that would take 3 GB as dense ones are clustered; a method that needs dense rows refuses
// them.
func TestSparseKMeansOfManyColumns(t *testing.T) {
	const n, d = 20000, 20000 // 3.2 GB if it were dense
	r := rng.New(1)
	var is, js []int
	for i := range n {
		for range 5 {
			is, js = append(is, i), append(js, i%2*(d/2)+r.IntN(40))
		}
	}
	x, err := csr.FromTriplets(n, d, is, js, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := KMeans{K: 2, Restarts: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range m.Labels {
		if l != m.Labels[i%2] {
			t.Fatalf("row %d is in cluster %d", i, l)
		}
	}
	if m.Labels[0] == m.Labels[1] {
		t.Error("both kinds of rows are in one cluster")
	}
	if _, err := (MiniBatchKMeans{K: 2}).Fit(t.Context(), x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a method that needs dense rows: %v", err)
	}
}
