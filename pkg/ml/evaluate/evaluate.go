// Package evaluate judges what unsupervised methods return: partitions against the truth, where there is one, and against the data where there is none.
package evaluate

import (
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// table counts, for two labelings of the same points, how many points carry each pair of labels.
type table struct {
	counts     [][]float64 // classes × clusters
	rows, cols []float64
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
	t := &table{rows: make([]float64, nr), cols: make([]float64, nc), n: float64(len(truth))}
	for range nr {
		t.counts = append(t.counts, make([]float64, nc))
	}
	for i := range truth {
		t.counts[r[i]][c[i]]++
		t.rows[r[i]]++
		t.cols[c[i]]++
	}
	return t, nil
}

// index numbers the distinct labels from 0 in the order of their values, so that the order of the points does not matter.
func index(labels []int) (of []int, distinct int) {
	lo, hi := labels[0], labels[0]
	for _, l := range labels {
		lo, hi = min(lo, l), max(hi, l)
	}
	of = make([]int, len(labels))
	number := map[int]int{}
	for _, l := range labels {
		number[l] = 0
	}
	k := 0
	if span := hi - lo; span >= 0 && span <= 4*len(labels)+1000 {
		for l := lo; l <= hi; l++ {
			if _, ok := number[l]; ok {
				number[l] = k
				k++
			}
		}
	} else { // labels far apart
		for _, l := range sorted(number) {
			number[l] = k
			k++
		}
	}
	for i, l := range labels {
		of[i] = number[l]
	}
	return of, len(number)
}

// Contingency returns the table of counts of two labelings: one row a distinct label of truth, one column a distinct label of labels, both in rising order.
func Contingency(truth, labels []int) (*mat.Dense, error) {
	t, err := tabulate("evaluate.Contingency", truth, labels)
	if err != nil {
		return nil, err
	}
	m := mat.NewDense(len(t.rows), len(t.cols), nil)
	for i, row := range t.counts {
		m.SetRow(i, row)
	}
	return m, nil
}

// Purity is the share of points that carry the most frequent class of their cluster, from 1/n·(largest class) to 1. It never falls when a cluster is split,
// and is 1 for n clusters: compare it at equal K. NaN for labelings of different length.
func Purity(labels, truth []int) float64 {
	t, err := tabulate("evaluate.Purity", truth, labels)
	if err != nil {
		return math.NaN()
	}
	sum := 0.0
	for j := range t.cols {
		most := 0.0
		for i := range t.rows {
			most = max(most, t.counts[i][j])
		}
		sum += most
	}
	return sum / t.n
}

// ARI is the adjusted Rand index (Hubert & Arabie, 1985): the share of pairs of points on which two labelings agree, scaled so that
// chance gives 0 on average and identity 1. It is symmetric, and does not depend on the names of the labels. NaN for labelings of different length.
func ARI(labels, truth []int) float64 {
	t, err := tabulate("evaluate.ARI", truth, labels)
	if err != nil {
		return math.NaN()
	}
	// The pair confusion matrix, as whole numbers for as long as they fit.
	both, rows, cols := 0.0, 0.0, 0.0
	for i := range t.counts {
		for _, n := range t.counts[i] {
			both += n * n
		}
		rows += t.rows[i] * t.rows[i]
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

// NMI is the mutual information of two labelings over the arithmetic mean of their entropies: 0 when independent, 1 when identical. It is not
// adjusted for chance and grows with the number of clusters. NaN for labelings of different length.
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

// AMI is the mutual information of two labelings less what chance would give, over the mean of their entropies less the same (Vinh, Epps & Bailey, 2010): 0 on
// average when independent, whatever the number of clusters, and 1 when identical. Time O(RCn) at worst for R classes and C clusters. NaN for labelings of
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
	// Where chance explains all, as for n clusters of n points, neither side may come to 0 by rounding.
	room := mean - chance
	if math.Abs(room) < 0x1p-52 {
		room = math.Copysign(0x1p-52, room)
	}
	return (mi - chance) / room
}

// identical reports that the two labelings are one partition under two sets of names.
func (t *table) identical() bool {
	for i, row := range t.counts {
		for j, n := range row {
			if n > 0 && (n < t.rows[i] || n < t.cols[j]) {
				return false
			}
		}
	}
	return true
}

// expected is the mean of the mutual information over all tables with the same margins, each cell hypergeometric.
func (t *table) expected() (emi float64) {
	factorial := make([]float64, int(t.n)+1) // logarithms
	for i := 2; i < len(factorial); i++ {
		factorial[i] = factorial[i-1] + math.Log(float64(i))
	}
	f := func(v float64) float64 { return factorial[int(v)] }
	for _, a := range t.rows {
		for _, b := range t.cols {
			fixed := f(a) + f(b) + f(t.n-a) + f(t.n-b) - f(t.n)
			for c := max(1, a+b-t.n); c <= min(a, b); c++ {
				p := math.Exp(fixed - f(c) - f(a-c) - f(b-c) - f(t.n-a-b+c))
				emi += c / t.n * math.Log(t.n*c/(a*b)) * p
			}
		}
	}
	return emi
}

// VMeasure returns homogeneity (each cluster has one class), completeness (each class is in one cluster) and their harmonic mean (Rosenberg & Hirschberg,
// 2007). NaNs for labelings of different length.
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
	for i := range t.counts {
		for j, n := range t.counts[i] {
			if n > 0 {
				mi += n / t.n * math.Log(n*t.n/(t.rows[i]*t.cols[j]))
			}
		}
	}
	return max(mi, 0)
}
