package datasets

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

func TestPlantedTopics(t *testing.T) {
	c := PlantedTopics(400, 50, 100, 4, 1)
	again := PlantedTopics(200, 50, 100, 4, 1)
	var got, want [100]float64
	for i, words := range c.Words {
		if len(words) != 50 {
			t.Fatalf("document %d has %d words", i, len(words))
		}
		for _, w := range words {
			got[w]++
		}
		for k := range 4 {
			for j, p := range c.Topics.RawRowView(k) {
				want[j] += 50 * c.Documents.At(i, k) * p
			}
		}
		if s := floats.Sum(c.Documents.RawRowView(i)); math.Abs(s-1) > 1e-12 {
			t.Fatalf("the proportions of document %d sum to %v", i, s)
		}
		if i < 200 && !slices.Equal(words, again.Words[i]) {
			t.Fatalf("document %d depends on how many there are", i)
		}
	}
	for k := range 4 {
		if s := floats.Sum(c.Topics.RawRowView(k)); math.Abs(s-1) > 1e-12 {
			t.Errorf("topic %d sums to %v", k, s)
		}
	}
	for j := range got {
		if math.Abs(got[j]-want[j]) > 5*math.Sqrt(want[j]+1) {
			t.Errorf("word %d occurs %v times, want about %v", j, got[j], want[j])
		}
	}
	// Dirichlet with 0.05: E φ² = 1.05/(V(V·0.05+1)).
	square := 0.0
	many := PlantedTopics(1, 0, 500, 60, 2).Topics
	for k := range 60 {
		square += floats.Dot(many.RawRowView(k), many.RawRowView(k)) / 60
	}
	if expected := 1.05 / 26; math.Abs(square/expected-1) > 0.15 {
		t.Errorf("mean Σφ² is %v, want %v", square, expected)
	}
}

func TestDisjointTopics(t *testing.T) {
	c := DisjointTopics(9, 20, 3, 5, 1)
	for i, words := range c.Words {
		for _, w := range words {
			if w/5 != i%3 || c.Topics.At(i%3, w) != 0.2 || c.Documents.At(i, w/5) != 1 {
				t.Fatalf("document %d has word %d", i, w)
			}
		}
	}
}
