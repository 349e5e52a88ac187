//go:build unix

package main

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml/statespace"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func init() {
	loglik := []figure{{"loglik a step", equal}}
	register(
		row{name: "kalman-smoother", input: "turning100x500x20", figures: loglik, fit: kalmanSmoother},
		row{name: "lds-em", input: "turning100x500x20", figures: loglik, fit: ldsEM},
	)
}

const benchSteps = 500 // of each trial

// turningStart is the system that both sides start from, of 8 states and 20 variables.
func turningStart() *statespace.System {
	k, d := 8, 20
	unit := func(n int, v float64) *mat.SymDense {
		s := mat.NewSymDense(n, nil)
		for i := range n {
			s.SetSym(i, i, v)
		}
		return s
	}
	s := &statespace.System{Mean: make([]float64, k), Cov: unit(k, 1), Step: statespace.Step{A: mat.NewDense(k, k, nil), Q: unit(k, 1),
		C: mat.NewDense(d, k, nil), Offset: make([]float64, d), R: unit(d, 1)}}
	for i := range k {
		s.A.Set(i, i, 0.9)
	}
	s.C.Apply(func(j, i int, _ float64) float64 { return math.Cos(float64((j + 1) * (i + 1))) }, s.C)
	return s
}

func turningTrials(x *mat.Dense) (*trials.Trials, error) {
	n, _ := x.Dims()
	return trials.Cut(x, slices.Repeat([]int{benchSteps}, n/benchSteps))
}

func kalmanSmoother(ctx context.Context, p problem) (judge, error) {
	x, err := turningTrials(p.X)
	if err != nil {
		return nil, err
	}
	s, err := turningStart().Smooth(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	return known(floats.Sum(s.LogLikelihood) / float64(n)), nil
}

// ldsEM takes ten steps, each of which learns all parameters but the drift, as the peer does.
func ldsEM(ctx context.Context, p problem) (judge, error) {
	x, err := turningTrials(p.X)
	if err != nil {
		return nil, err
	}
	m, err := statespace.LDS{Init: turningStart(), ObservationNoise: statespace.Full, MaxIter: 10, Tol: 1e-300}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	return known(m.LogLikelihood / float64(n)), nil
}
