//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

func init() {
	// One cloud: there are no clusters far apart that a search could skip.
	tree := func(name, theory string, sizes []int, fit func(context.Context, mat.Matrix) (*cluster.Tree, error)) {
		registerGrowth(growth{name, "n rows, d = 10", theory, sizes, func(n int) (func(context.Context) error, error) {
			x := datasets.Blobs(n, 10, 1, 1, 1).X
			return func(ctx context.Context) error {
				_, err := fit(ctx, x)
				return err
			}, nil
		}})
	}
	sizes := []int{1500, 3000, 6000}
	tree("linkage-single", "n²", sizes, cluster.Agglomerative{Linkage: cluster.Single}.Fit)
	// Their tables, of 9 to 144 MB here, outgrow the caches.
	tree("linkage-complete", "n², and slower memory", sizes, cluster.Agglomerative{Linkage: cluster.Complete}.Fit)
	tree("linkage-average", "n², and slower memory", sizes, cluster.Agglomerative{Linkage: cluster.Average}.Fit)
	tree("linkage-ward", "n²", sizes, cluster.Agglomerative{Linkage: cluster.Ward}.Fit)
	tree("linkage-centroid", "n², n³ at worst", []int{1000, 2000, 4000}, cluster.Agglomerative{Linkage: cluster.Centroid}.Fit)
	tree("diana", "n² where splits are even, n³ at worst", []int{500, 1000, 2000}, cluster.Diana{}.Fit)
	tree("bisecting k-means", "n log n where splits are even", []int{500, 1000, 2000}, cluster.BisectingKMeans{Restarts: 1}.Fit)
	registerGrowth(growth{"optimal leaf order", "n rows, average linkage", "n³", []int{250, 500, 1000}, leafOrderGrowth})
}

func leafOrderGrowth(n int) (func(context.Context) error, error) {
	x := datasets.Blobs(n, 10, 1, 1, 1).X
	ctx := context.Background()
	d, err := distance.Pairwise(ctx, x, nil)
	if err != nil {
		return nil, err
	}
	tree, err := cluster.Agglomerative{Metric: distance.Precomputed{}}.Fit(ctx, d)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := tree.OptimalOrder(ctx, d)
		return err
	}, nil
}
