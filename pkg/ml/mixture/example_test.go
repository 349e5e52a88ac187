package mixture_test

import (
	"context"
	"fmt"

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
	logp, err := m.LogProb(mat.NewDense(1, 1, []float64{0}))
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
