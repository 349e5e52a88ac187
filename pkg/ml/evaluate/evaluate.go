// Package evaluate judges what unsupervised methods return: partitions against the truth, where
// there is one, and against the data where there is none.
package evaluate

import (
	"maps"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// table counts, for two labelings of the same points, how many points carry each pair of labels.
type table struct {
	counts     *csr.Matrix // classes × clusters
	rows, cols []float64   // how many points carry each
	n          float64
}

func tabulate(method string, truth, labels []int) (*table, error) {
	if len(truth) == 0 {
		return nil, ml.BadShape(method, "no labels")
	}
	if len(truth) != len(labels) {
		return nil, ml.BadShape(method, "%d labels beside %d, want as many", len(truth), len(labels))
	}
	r, nr := index(truth)
	c, nc := index(labels)
	t := &table{rows: make([]float64, nr), cols: make([]float64, nc), n: float64(len(truth)),
		counts: &csr.Matrix{Columns: nc, Start: make([]int, 1, nr+1)}}
	// The clusters of the points of each class, one class behind the other.
	start := make([]int, nr+1)
	for i, class := range r {
		start[class+1]++
		t.rows[class]++
		t.cols[c[i]]++
	}
	for class := range nr {
		start[class+1] += start[class]
	}
	clusters, next := make([]int, len(c)), slices.Clone(start)
	for i, class := range r {
		clusters[next[class]] = c[i]
		next[class]++
	}
	count := make([]float64, nc)
	var met []int
	for class := range nr {
		met = met[:0]
		for _, k := range clusters[start[class]:start[class+1]] {
			if count[k]++; count[k] == 1 {
				met = append(met, k)
			}
		}
		slices.Sort(met)
		for _, k := range met {
			t.counts.Index, t.counts.Value = append(t.counts.Index, k), append(t.counts.Value, count[k])
			count[k] = 0
		}
		t.counts.Start = append(t.counts.Start, len(t.counts.Index))
	}
	return t, nil
}

// index numbers the distinct labels from 0 in the order of their values, so that the order of the
// points does not matter.
func index(labels []int) (of []int, distinct int) {
	lo, hi := slices.Min(labels), slices.Max(labels)
	of = make([]int, len(labels))
	if span := hi - lo; span >= 0 && span <= 4*len(labels)+1000 {
		number := make([]int, span+1)
		for _, l := range labels {
			number[l-lo] = 1
		}
		for l, met := range number {
			number[l] = distinct
			distinct += met
		}
		for i, l := range labels {
			of[i] = number[l-lo]
		}
		return of, distinct
	}
	number := map[int]int{} // labels far apart
	for _, l := range labels {
		number[l] = 0
	}
	for k, l := range slices.Sorted(maps.Keys(number)) {
		number[l] = k
	}
	for i, l := range labels {
		of[i] = number[l]
	}
	return of, len(number)
}

// Contingency returns the table of counts of two labelings: one row a distinct label of truth, one
// column a distinct label of labels, both in rising order. The error is ml.ErrShape for labelings
// of different length, or of none, and for a table of more than 2²⁷ counts.
func Contingency(truth, labels []int) (*mat.Dense, error) {
	const method, most = "evaluate.Contingency", 1 << 27
	t, err := tabulate(method, truth, labels)
	if err != nil {
		return nil, err
	}
	if len(t.rows) > most/len(t.cols) {
		return nil, ml.BadShape(method, "a table of %d×%d counts takes more than a GiB", len(t.rows), len(t.cols))
	}
	return t.counts.Dense(), nil
}

// Purity is the share of points that carry the most frequent class of their cluster, from
// 1/n·(largest class) to 1. It never falls when a cluster is split, and is 1 for n clusters:
// compare it at equal K. NaN for labelings of different length.
func Purity(labels, truth []int) float64 {
	t, err := tabulate("evaluate.Purity", truth, labels)
	if err != nil {
		return math.NaN()
	}
	most, sum := make([]float64, len(t.cols)), 0.0
	t.counts.DoNonZero(func(_, j int, n float64) { most[j] = max(most[j], n) })
	for _, n := range most {
		sum += n
	}
	return sum / t.n
}

// ARI is the adjusted Rand index (Hubert & Arabie, 1985): the share of pairs of points on which two
// labelings agree, scaled so that chance gives 0 on average and identity 1. It is symmetric, and
// does not depend on the names of the labels. NaN for labelings of different length.
func ARI(labels, truth []int) float64 {
	t, err := tabulate("evaluate.ARI", truth, labels)
	if err != nil {
		return math.NaN()
	}
	// The pair confusion matrix, as whole numbers for as long as they fit.
	both, rows, cols := 0.0, 0.0, 0.0
	for _, n := range t.counts.Value {
		both += n * n
	}
	for _, n := range t.rows {
		rows += n * n
	}
	for _, n := range t.cols {
		cols += n * n
	}
	tp, fp, fn := both-t.n, cols-both, rows-both
	tn := t.n*t.n - cols - rows + both
	if fn == 0 && fp == 0 {
		return 1
	}
	return 2 * (tp*tn - fn*fp) / ((tp+fn)*(fn+tn) + (tp+fp)*(fp+tn))
}

// NMI is the mutual information of two labelings over the arithmetic mean of their entropies: 0
// when independent, 1 when identical. It is not adjusted for chance and grows with the number of
// clusters. NaN for labelings of different length.
func NMI(labels, truth []int) float64 {
	t, err := tabulate("evaluate.NMI", truth, labels)
	if err != nil {
		return math.NaN()
	}
	hr, hc := entropy(t.rows, t.n), entropy(t.cols, t.n)
	if hr == 0 && hc == 0 {
		return 1 // one class and one cluster: the same partition
	}
	return t.mutual() / ((hr + hc) / 2)
}

// AMI is the mutual information of two labelings less what chance would give, over the mean of
// their entropies less the same (Vinh, Epps & Bailey, 2010): 0 on average when independent,
// whatever the number of clusters, and 1 when identical. It costs O(n) beside O(√(ab/n)) for each
// pair of a size a that classes have and a size b that clusters have. NaN for labelings of
// different length.
func AMI(labels, truth []int) float64 {
	t, err := tabulate("evaluate.AMI", truth, labels)
	if err != nil {
		return math.NaN()
	}
	if t.identical() {
		return 1
	}
	mi, chance := t.mutual(), t.expected()
	mean := (entropy(t.rows, t.n) + entropy(t.cols, t.n)) / 2
	// Where chance explains all, as for n clusters of n points, neither side may come to 0 by
	// rounding.
	room := mean - chance
	if math.Abs(room) < 0x1p-52 {
		room = math.Copysign(0x1p-52, room)
	}
	return (mi - chance) / room
}

// identical reports that the two labelings are one partition under two sets of names.
func (t *table) identical() bool {
	return len(t.rows) == len(t.cols) && t.counts.NNZ() == len(t.rows)
}

// expected is the mean of the mutual information over all tables with the same margins, each cell
// hypergeometric. Cells with equal margins have equal means.
func (t *table) expected() (emi float64) {
	rows, cols := sizes(t.rows), sizes(t.cols)
	for _, a := range slices.Sorted(maps.Keys(rows)) {
		for _, b := range slices.Sorted(maps.Keys(cols)) {
			emi += rows[a] * cols[b] * expectedCell(a, b, t.n)
		}
	}
	return emi
}

// sizes counts how often each size occurs.
func sizes(counts []float64) map[float64]float64 {
	of := map[float64]float64{}
	for _, n := range counts {
		of[n]++
	}
	return of
}

// expectedCell is the mean of c/n·log(nc/ab) for a hypergeometric c: how many of n points are among
// a and among b of them. The probabilities follow each other by a ratio, from the largest to both
// sides until they no longer count, so that no factorial of n, whose logarithm has lost the digits,
// is needed.
func expectedCell(a, b, n float64) float64 {
	term := func(c float64) float64 {
		if c == 0 {
			return 0
		}
		return c / n * math.Log(n*c/(a*b))
	}
	const faint = 1e-22
	lo, hi := max(0, a+b-n), min(a, b)
	mode := min(max(math.Floor((a+1)*(b+1)/(n+2)), lo), hi)
	sum, total := term(mode), 1.0
	for c, p := mode, 1.0; c < hi && p > faint; {
		p *= (a - c) * (b - c) / ((c + 1) * (n - a - b + c + 1))
		c++
		sum, total = sum+p*term(c), total+p
	}
	for c, p := mode, 1.0; c > lo && p > faint; {
		p *= c * (n - a - b + c) / ((a - c + 1) * (b - c + 1))
		c--
		sum, total = sum+p*term(c), total+p
	}
	return sum / total
}

// VMeasure returns homogeneity (each cluster has one class), completeness (each class is in one
// cluster) and their harmonic mean (Rosenberg & Hirschberg, 2007). NaNs for labelings of different
// length.
func VMeasure(labels, truth []int) (homogeneity, completeness, v float64) {
	t, err := tabulate("evaluate.VMeasure", truth, labels)
	if err != nil {
		return math.NaN(), math.NaN(), math.NaN()
	}
	hr, hc, mi := entropy(t.rows, t.n), entropy(t.cols, t.n), t.mutual()
	homogeneity, completeness = 1, 1
	if hr > 0 {
		homogeneity = mi / hr
	}
	if hc > 0 {
		completeness = mi / hc
	}
	if homogeneity+completeness == 0 {
		return homogeneity, completeness, 0
	}
	return homogeneity, completeness, 2 * homogeneity * completeness / (homogeneity + completeness)
}

func entropy(counts []float64, n float64) (h float64) {
	for _, c := range counts {
		if c > 0 && c < n {
			h -= c / n * math.Log(c/n)
		}
	}
	return h
}

// mutual is the mutual information in nats, never below 0.
func (t *table) mutual() (mi float64) {
	t.counts.DoNonZero(func(i, j int, n float64) {
		mi += n / t.n * math.Log(n*t.n/(t.rows[i]*t.cols[j]))
	})
	return max(mi, 0)
}
