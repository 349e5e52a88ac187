package cluster

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
)

func labelsOf(m *KMeansModel) []int    { return m.Labels }
func inertiaOf(m *KMeansModel) float64 { return m.Inertia }

func TestKMeansConforms(t *testing.T) {
	for _, start := range []Start{GreedyPlusPlus, PlusPlus, RandomPoints} {
		k := KMeans{K: 3, Start: start}
		t.Run(string(start), func(t *testing.T) {
			mltest.Run(t, mltest.Method[KMeansModel]{Fit: k.Fit, Iterate: k.Iterate, Objective: inertiaOf, Predict: (*KMeansModel).Predict, Labels: labelsOf})
		})
	}
}

// Mini-batches may raise the distortion from one step to the next, so Iterate's objective is not
// held to fall.
func TestMiniBatchKMeansConforms(t *testing.T) {
	m := MiniBatchKMeans{K: 3, Batch: 30}
	mltest.Run(t, mltest.Method[KMeansModel]{Fit: m.Fit, Iterate: m.Iterate, Predict: (*KMeansModel).Predict, Labels: labelsOf})
}

func TestOptimalConforms(t *testing.T) {
	small := mat.NewDense(9, 2, []float64{0, 0, 0, 1, 1, 0, 9, 9, 9, 8, 8, 9, 0, 9, 1, 9, 0, 8})
	mltest.Run(t, mltest.Method[KMeansModel]{Fit: Optimal{K: 3}.Fit, Predict: (*KMeansModel).Predict, Labels: labelsOf, Data: small})
	line := mat.NewDense(8, 1, []float64{1, 1.5, 2, 10, 11, 30, 31, 33})
	t.Run("one dimension", func(t *testing.T) {
		mltest.Run(t, mltest.Method[KMeansModel]{Fit: Optimal1D{K: 3}.Fit, Predict: (*KMeansModel).Predict, Labels: labelsOf, Data: line})
	})
}

func threeOf(t *Tree) []int {
	labels, err := t.CutCount(3)
	if err != nil {
		return nil
	}
	return labels
}

func TestHierarchicalConforms(t *testing.T) {
	for _, l := range linkages {
		t.Run(string(l), func(t *testing.T) {
			mltest.Run(t, mltest.Method[Tree]{Fit: Agglomerative{Linkage: l}.Fit, Labels: threeOf})
		})
	}
	t.Run("average, city blocks", func(t *testing.T) {
		mltest.Run(t, mltest.Method[Tree]{Fit: Agglomerative{Metric: distance.Manhattan{}}.Fit, Labels: threeOf})
	})
	t.Run("single, city blocks", func(t *testing.T) {
		mltest.Run(t, mltest.Method[Tree]{Fit: Agglomerative{Linkage: Single, Metric: distance.Manhattan{}}.Fit, Labels: threeOf})
	})
	t.Run("DIANA", func(t *testing.T) {
		mltest.Run(t, mltest.Method[Tree]{Fit: Diana{}.Fit, Labels: threeOf})
	})
	t.Run("bisecting k-means", func(t *testing.T) {
		mltest.Run(t, mltest.Method[Tree]{Fit: BisectingKMeans{}.Fit, Labels: threeOf})
	})
}
