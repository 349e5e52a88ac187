package neural

import "math"

// Schedule is how the learning rate goes from step to step, after the warm-up.
type Schedule string

const (
	Constant Schedule = "constant" // stays
	Cosine   Schedule = "cosine"   // falls to 0 at the last step, as half a cosine (Loshchilov & Hutter, 2017)
	Linear   Schedule = "linear"   // falls to 0 at the last step
)

// rate is the learning rate of a step, from 0: it rises linearly for the steps of the warm-up and
// then follows the schedule.
func (t Train) rate(step int) float64 {
	if step < t.Warmup {
		return t.LearningRate * float64(step+1) / float64(t.Warmup)
	}
	done := float64(step-t.Warmup) / float64(max(t.Steps-t.Warmup, 1))
	switch t.Schedule {
	case Cosine:
		return t.LearningRate * (1 + math.Cos(math.Pi*done)) / 2
	case Linear:
		return t.LearningRate * (1 - done)
	}
	return t.LearningRate
}
