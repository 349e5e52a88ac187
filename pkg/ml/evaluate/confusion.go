package evaluate

import (
	"math"

	"github.com/golatent/latent/internal/labelled"
	"gonum.org/v1/gonum/mat"
)

// Accuracy is the share of labels that are the true ones. NaN for labelings of different length, or
// of none.
func Accuracy(labels, truth []int) float64 {
	if len(labels) != len(truth) || len(truth) == 0 {
		return math.NaN()
	}
	right := 0
	for i, l := range labels {
		if l == truth[i] {
			right++
		}
	}
	return float64(right) / float64(len(truth))
}

// ConfusionTable compares clusters with classes whose names they do not know.
type ConfusionTable struct {
	Counts   *mat.Dense // classes×clusters: how many points carry both
	Classes  []int      // the distinct true labels, ascending: rows of Counts
	Clusters []int      // the distinct labels, ascending: columns of Counts
	Match    []int      // for each cluster the row of the class that it stands for, −1 for none
	Accuracy float64    // share of the points whose cluster stands for their class
}

// Confusion matches clusters with classes, one to one, so that as many points as possible are in
// the cluster that stands for their class (Kuhn, 1955): clustering accuracy, which unlike Purity
// does not reward cutting a class in pieces. Where there are more clusters than classes, some stand
// for none. It costs O(a²b) for a ≤ b clusters and classes. The error is ml.ErrShape for labelings
// of different length, or of none.
func Confusion(labels, truth []int) (*ConfusionTable, error) {
	counts, err := Contingency(truth, labels)
	if err != nil {
		return nil, err
	}
	c := &ConfusionTable{Counts: counts}
	_, c.Classes = labelled.Classes(truth)
	_, c.Clusters = labelled.Classes(labels)
	rows, cols := counts.Dims()
	c.Match = make([]int, cols)
	total := 0.0
	take := func(i, j int) {
		c.Match[j] = i
		total += counts.At(i, j)
	}
	for j := range c.Match {
		c.Match[j] = -1
	}
	if rows <= cols {
		for i, j := range assign(rows, cols, func(i, j int) float64 { return -counts.At(i, j) }) {
			take(i, j)
		}
	} else {
		for j, i := range assign(cols, rows, func(j, i int) float64 { return -counts.At(i, j) }) {
			take(i, j)
		}
	}
	c.Accuracy = total / float64(len(truth))
	return c, nil
}

// assign gives each of a rows a column of its own among b ≥ a so that the sum of the costs is
// least, by shortest augmenting paths (Jonker & Volgenant, 1987).
func assign(a, b int, cost func(i, j int) float64) []int {
	// Prices u and v with cost ≥ u + v, equal along the assignment. Column b is where a row stands
	// that has none yet.
	u, v := make([]float64, a), make([]float64, b+1)
	row, before := make([]int, b+1), make([]int, b+1)
	for j := range row {
		row[j] = -1
	}
	least, done := make([]float64, b+1), make([]bool, b+1)
	for i := range a {
		row[b] = i
		for j := range least {
			least[j], done[j] = math.Inf(1), false
		}
		at := b
		for row[at] >= 0 {
			done[at] = true
			from, next, step := row[at], -1, math.Inf(1)
			for j := range b {
				if done[j] {
					continue
				}
				if reduced := cost(from, j) - u[from] - v[j]; reduced < least[j] {
					least[j], before[j] = reduced, at
				}
				if least[j] < step {
					next, step = j, least[j]
				}
			}
			for j := range done {
				if done[j] {
					u[row[j]] += step
					v[j] -= step
				} else {
					least[j] -= step
				}
			}
			at = next
		}
		for at != b {
			row[at] = row[before[at]]
			at = before[at]
		}
	}
	columns := make([]int, a)
	for j, i := range row[:b] {
		if i >= 0 {
			columns[i] = j
		}
	}
	return columns
}
