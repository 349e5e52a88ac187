package evaluate

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// partition checks points and their labels together; each of at least two clusters and at most n-1,
// as the indices below need.
func partition(method string, x mat.Matrix, labels []int) (y *mat.Dense, of []int, k int, err error) {
	y, err = ml.Dense(method, x)
	if err != nil {
		return nil, nil, 0, err
	}
	n, _ := y.Dims()
	if len(labels) != n {
		return nil, nil, 0, ml.BadShape(method, "%d labels for %d rows", len(labels), n)
	}
	of, k = index(labels)
	if k < 2 || k > n-1 {
		return nil, nil, 0, ml.BadParameter(method, "the number of clusters", k, "2 to n-1, or there is nothing to compare")
	}
	y, _ = scaling.InRange(y) // the indices do not depend on the unit
	return y, of, k, nil
}

// SilhouetteSamples returns (b−a)/max(a, b) for each point, where a is its mean distance to the
// others of its cluster and b the mean distance to the points of the nearest other cluster
// (Rousseeuw, 1987): near 1 for a point well inside, near 0 on a border, negative where another
// cluster would suit it better; 0 for a cluster of one point. Euclidean distances; time O(n²d),
// memory O(n·K).
func SilhouetteSamples(ctx context.Context, x mat.Matrix, labels []int) ([]float64, error) {
	y, of, k, err := partition("evaluate.Silhouette", x, labels)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	size := make([]float64, k)
	for _, z := range of {
		size[z]++
	}
	s := make([]float64, n)
	err = parallel.For(ctx, n, 32, func(_, lo, hi int) {
		sum := make([]float64, k)
		for i := lo; i < hi; i++ {
			clear(sum)
			row := y.RawRowView(i)
			for j := range n {
				sum[of[j]] += math.Sqrt(blas.SqEuclidean(row, y.RawRowView(j)))
			}
			s[i] = silhouette(sum, size, of[i])
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func silhouette(sum, size []float64, own int) float64 {
	if size[own] == 1 {
		return 0
	}
	a, b := sum[own]/(size[own]-1), math.Inf(1)
	for z, s := range sum {
		if z != own {
			b = min(b, s/size[z])
		}
	}
	if most := max(a, b); most > 0 {
		return (b - a) / most
	}
	return 0 // all points are equal
}

// Silhouette is the mean of SilhouetteSamples: the higher, the better points fit their clusters. A
// common way to choose K.
func Silhouette(ctx context.Context, x mat.Matrix, labels []int) (float64, error) {
	s, err := SilhouetteSamples(ctx, x, labels)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, v := range s {
		total += v
	}
	return total / float64(len(s)), nil
}

// CalinskiHarabasz is the ratio of the variance between clusters to that within, each over its
// degrees of freedom (Caliński & Harabasz, 1974): higher is better.
func CalinskiHarabasz(x mat.Matrix, labels []int) (float64, error) {
	y, of, k, err := partition("evaluate.CalinskiHarabasz", x, labels)
	if err != nil {
		return 0, err
	}
	n, d := y.Dims()
	centers, size := means(y, of, k)
	all := make([]float64, d)
	for i := range n {
		for j, v := range y.RawRowView(i) {
			all[j] += v / float64(n)
		}
	}
	within, between := 0.0, 0.0
	for i := range n {
		within += blas.SqEuclidean(y.RawRowView(i), centers.RawRowView(of[i]))
	}
	for z := range k {
		between += size[z] * blas.SqEuclidean(centers.RawRowView(z), all)
	}
	if within == 0 {
		return 1, nil // as scikit-learn defines it
	}
	return between * float64(n-k) / (within * float64(k-1)), nil
}

// DaviesBouldin is the mean over clusters of the worst ratio of the spreads of two clusters to the
// distance of their centers (Davies & Bouldin, 1979): lower is better.
func DaviesBouldin(x mat.Matrix, labels []int) (float64, error) {
	y, of, k, err := partition("evaluate.DaviesBouldin", x, labels)
	if err != nil {
		return 0, err
	}
	n, _ := y.Dims()
	centers, size := means(y, of, k)
	spread := make([]float64, k)
	for i := range n {
		spread[of[i]] += math.Sqrt(blas.SqEuclidean(y.RawRowView(i), centers.RawRowView(of[i]))) / size[of[i]]
	}
	total := 0.0
	for a := range k {
		worst := 0.0
		for b := range k {
			if gap := math.Sqrt(blas.SqEuclidean(centers.RawRowView(a), centers.RawRowView(b))); a != b && gap > 0 {
				worst = max(worst, (spread[a]+spread[b])/gap)
			}
		}
		total += worst
	}
	return total / float64(k), nil
}

// Distortion is the sum of the squared distances of the points to the means of their clusters,
// which k-means minimises: J, or inertia. Any number of clusters.
func Distortion(x mat.Matrix, labels []int) (float64, error) {
	const method = "evaluate.Distortion"
	y, err := ml.Dense(method, x)
	if err != nil {
		return 0, err
	}
	if n, _ := y.Dims(); len(labels) != n {
		return 0, ml.BadShape(method, "%d labels for %d rows", len(labels), n)
	}
	of, k := index(labels)
	centers, _ := means(y, of, k)
	j := 0.0
	for i, z := range of {
		j += blas.SqEuclidean(y.RawRowView(i), centers.RawRowView(z))
	}
	if math.IsInf(j, 0) || math.IsNaN(j) {
		return 0, ml.BadParameter(method, "the scale of x", "too large", "values whose squares can be summed: divide the data by a constant")
	}
	return j, nil
}

func means(y *mat.Dense, of []int, k int) (centers *mat.Dense, size []float64) {
	_, d := y.Dims()
	centers, size = mat.NewDense(k, d, nil), make([]float64, k)
	for i, z := range of {
		size[z]++
		c := centers.RawRowView(z)
		for j, v := range y.RawRowView(i) {
			c[j] += v
		}
	}
	for z := range k {
		c := centers.RawRowView(z)
		for j := range c {
			c[j] /= size[z]
		}
	}
	return centers, size
}
