package mixture_test

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/mixture"
	"gonum.org/v1/gonum/mat"
)

func ExampleGMM() {
	iris := datasets.Iris()
	m, err := mixture.GMM{K: 3}.Fit(context.Background(), iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("log-likelihood %.3f, purity %.3f\n", 150*m.LogLikelihood, evaluate.Purity(m.Labels, iris.Y))
	// Output: log-likelihood -180.185, purity 0.967
}

func ExampleGMM_Iterate() {
	x := datasets.Blobs(300, 2, 3, 3, 1).X
	rises, before := true, -1e9
	for m, err := range (mixture.GMM{K: 3, Start: mixture.RandomPoints}).Iterate(context.Background(), x) {
		if err != nil {
			fmt.Println(err)
			return
		}
		rises = rises && m.LogLikelihood >= before
		before = m.LogLikelihood
	}
	fmt.Println("the log-likelihood never falls:", rises)
	// Output: the log-likelihood never falls: true
}

// A mixture made by hand has a density and can be drawn from.
func ExampleGMMModel() {
	m := &mixture.GMMModel{
		Weights:     []float64{0.5, 0.5},
		Means:       mat.NewDense(2, 1, []float64{-1, 1}),
		Covariances: []*mat.SymDense{mat.NewSymDense(1, []float64{1}), mat.NewSymDense(1, []float64{1})},
	}
	logp, err := m.LogProb(context.Background(), mat.NewDense(1, 1, []float64{0}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.4f\n", logp[0])
	// Output: -1.4189
}

func ExampleSoftKMeans() {
	x := mat.NewDense(4, 1, []float64{0, 1, 9, 10})
	m, err := mixture.SoftKMeans{K: 2, Beta: 1}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := m.Responsibilities(mat.NewDense(1, 1, []float64{5}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("half way between the two: %.2f\n", r.RawRowView(0))
	// Output: half way between the two: [0.50 0.50]
}

// Two lines, and where each of them holds.
func ExampleLinearExperts() {
	truth := &mixture.LinearExpertsModel{
		Gate:         mixture.Gate{Coefficients: mat.NewDense(2, 1, []float64{-3, 3}), Intercepts: []float64{0, 0}},
		Coefficients: mat.NewDense(2, 1, []float64{1, -2}), Intercepts: []float64{0, 5}, Variances: []float64{0.01, 0.01},
	}
	x := mat.NewDense(400, 1, nil)
	x.Apply(func(i, _ int, _ float64) float64 { return float64(i)/100 - 2 }, x)
	y, _, err := truth.Sample(context.Background(), x, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := mixture.LinearExperts{K: 2}.Fit(context.Background(), x, y)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := mat.NewDense(2, 1, []float64{-1.5, 1.5})
	mean, err := m.Predict(at)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("at -1.5 the line of slope 1: %.1f; at 1.5 the line of slope -2: %.1f\n", mean[0], mean[1])
	// Output: at -1.5 the line of slope 1: -1.5; at 1.5 the line of slope -2: 2.0
}

// A border with a corner, which one logistic regression can't draw.
func ExampleLogisticExperts() {
	x, y := mat.NewDense(900, 2, nil), make([]int, 900)
	for i := range y {
		a, b := float64(i%30)/15-0.98, float64(i/30)/15-0.98
		x.SetRow(i, []float64{a, b})
		if b > math.Abs(a)-0.3 {
			y[i] = 1
		}
	}
	for _, k := range []int{1, 2} {
		m, err := mixture.LogisticExperts{K: k, Optimizer: mixture.Direct}.Fit(context.Background(), x, y)
		if err != nil {
			fmt.Println(err)
			return
		}
		labels, err := m.Predict(x)
		if err != nil {
			fmt.Println(err)
			return
		}
		right := 0
		for i, v := range labels {
			if v == y[i] {
				right++
			}
		}
		fmt.Printf("K = %d: %d of 900 right\n", k, right)
	}
	// Output:
	// K = 1: 788 of 900 right
	// K = 2: 900 of 900 right
}
