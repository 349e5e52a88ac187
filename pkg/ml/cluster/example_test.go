package cluster_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
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

// A tree of thirteen measurements of wine, in standard units, cut into the three growers.
func ExampleAgglomerative() {
	wine := datasets.Wine()
	tree, err := cluster.Agglomerative{Linkage: cluster.Ward}.Fit(context.Background(), standardized(wine.X))
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := tree.CutCount(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("ARI with the growers: %.2f\n", evaluate.ARI(labels, wine.Y))
	// Output: ARI with the growers: 0.79
}

// standardized moves and scales each column to mean 0 and variance 1.
func standardized(x *mat.Dense) *mat.Dense {
	n, d := x.Dims()
	z := mat.DenseCopyOf(x)
	for j := range d {
		mean, std := stat.PopMeanStdDev(mat.Col(nil, j, x), nil)
		for i := range n {
			z.Set(i, j, (x.At(i, j)-mean)/std)
		}
	}
	return z
}

func ExampleTree_Cut() {
	ages := mat.NewDense(6, 1, []float64{3, 4, 6, 30, 33, 70})
	tree, err := cluster.Agglomerative{Linkage: cluster.Complete}.Fit(context.Background(), ages)
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := tree.Cut(10) // no two of a cluster more than 10 years apart
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tree.Heights, labels)
	// Output: [1 3 3 30 67] [2 2 2 1 1 0]
}

// The leaves of a tree can be drawn in many orders; the best has neighbors that are alike.
func ExampleTree_OptimalOrder() {
	x := mat.NewDense(5, 1, []float64{2, 9, 1, 8, 4})
	ctx := context.Background()
	d, err := distance.Pairwise(ctx, x, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tree, err := cluster.Agglomerative{Metric: distance.Precomputed{}}.Fit(ctx, d)
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := tree.OptimalOrder(ctx, d)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range best.Order() {
		fmt.Print(x.At(i, 0), " ")
	}
	// Output: 9 8 4 2 1
}

// Single linkage is read off the minimum spanning tree: its edges, lightest first, are the merges.
func ExampleSingleLinkage() {
	x := mat.NewDense(4, 2, []float64{0, 0, 1, 0, 5, 0, 5, 3})
	edges, err := cluster.Prim(context.Background(), x, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tree, err := cluster.SingleLinkage(4, edges)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(edges, tree.Heights)
	// Output: [{0 1 1} {2 3 3} {1 2 4}] [1 3 4]
}

func ExampleDiana() {
	x := mat.NewDense(5, 1, []float64{1, 2, 4, 20, 23})
	tree, err := cluster.Diana{}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := tree.CutCount(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("diameters", tree.Heights, "first split", labels)
	// Output: diameters [1 3 3 22] first split [0 0 0 1 1]
}

func ExampleBisectingKMeans() {
	iris := datasets.Iris()
	tree, err := cluster.BisectingKMeans{}.Fit(context.Background(), iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := tree.CutCount(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("ARI with the species: %.2f\n", evaluate.ARI(labels, iris.Y))
	// Output: ARI with the species: 0.68
}
