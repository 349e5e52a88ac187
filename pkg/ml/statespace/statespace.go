// Package statespace finds the hidden path behind a recording. What is observed at each step
// depends on a state of few dimensions, and the state on the one before: linear dynamical systems
// (LDS, with the Kalman filter and the smoother of Rauch, Tung and Striebel), Gaussian processes
// (GPFA), nonlinear dynamics (NLDS) and counts (PLDS).
//
// Data are trials.Trials, or a matrix with one step a row, which is one trial. In trials a NaN says
// that a value is missing: a step that was lost, a variable that a session did not record. In a
// plain matrix it is an error, as it is everywhere else.
package statespace

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// recording returns data as trials, after the check that NaN stands only where it may.
func recording(method string, x mat.Matrix) (*trials.Trials, error) {
	if _, ok := x.(*trials.Trials); !ok {
		dense, err := ml.Dense(method, x)
		if err != nil {
			return nil, err
		}
		x = dense
	}
	return trials.Of(method, x)
}

// Shape says which form of a matrix a fit looks for.
type Shape string

const (
	Full      Shape = "full"      // any
	Diagonal  Shape = "diagonal"  // zero beside the diagonal
	Isotropic Shape = "isotropic" // one number times the identity
)

func (s Shape) check(method, name string, allowed ...Shape) error {
	for _, a := range append(allowed, "") {
		if s == a {
			return nil
		}
	}
	return ml.BadParameter(method, name, sprintf("%q", s), sprintf("%q or one of %q", "", allowed))
}
