package cluster_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/cluster"
)

func ExampleKMeans() {
	iris := datasets.Iris()
	m, err := cluster.KMeans{K: 3}.Fit(context.Background(), iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("J = %.4f\n", m.Inertia)
	// Output: J = 78.8514
}

func ExampleKMeans_Iterate() {
	moons := datasets.Moons(200, 0.05, 1)
	falls := true
	before := 1e9
	for m, err := range (cluster.KMeans{K: 2, Start: cluster.RandomPoints}).Iterate(context.Background(), moons.X) {
		if err != nil {
			fmt.Println(err)
			return
		}
		falls = falls && m.Inertia <= before
		before = m.Inertia
	}
	fmt.Println("J never rises:", falls)
	// Output: J never rises: true
}
