package pictures

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/neural"
	gonum "gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// columns are a model that drives the coders, and what it says of pictures.
type columns interface {
	coding.Columns
	check.Density
}

// What a model of pictures encodes on one processor comes back on two, in no more bits than the
// network, on its backend, says, but for a coder's few.
func TestPicturesDriveTheCoder(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	train := neural.Train{Steps: 30, Batch: 12, LearningRate: 0.02, Backend: "go"}
	for _, levels := range []int{2, 5} {
		x := check.Symbols(3, 70, 12, levels)
		plain, err1 := PixelCNN{Height: 3, Width: 4, Levels: levels, First: 3, Channels: 4, Train: train}.Fit(t.Context(), x)
		gated, err2 := PixelCNN{Height: 3, Width: 4, Levels: levels, First: 3, Channels: 4, Gated: true, Train: train}.Fit(t.Context(), x)
		plus, err3 := PixelCNNPP{Height: 3, Width: 4, Levels: levels, Components: 2, Channels: 4, Blocks: 1, Train: train}.Fit(t.Context(), x)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]columns{"plain": plain, "gated": gated, "++": plus} {
			t.Run(fmt.Sprintf("%s, %d levels", name, levels), func(t *testing.T) {
				old := runtime.GOMAXPROCS(1)
				data, err := coding.Arithmetic{}.EncodeRows(t.Context(), m, x)
				runtime.GOMAXPROCS(2)
				defer runtime.GOMAXPROCS(old)
				if err != nil {
					t.Fatal(err)
				}
				back, err := coding.Arithmetic{}.DecodeRows(t.Context(), m, data)
				if err != nil {
					t.Fatal(err)
				}
				if !mat.Equal(back, x) {
					t.Error("other pictures came back")
				}
				logp, err := m.LogProb(t.Context(), x)
				if err != nil {
					t.Fatal(err)
				}
				bits := -gonum.Sum(logp) / math.Ln2
				if got := float64(8 * len(data)); got > bits*1.001+32+8*20 { // 20 bytes of a file's header at most
					t.Errorf("%v bits, the network says %.0f", got, bits)
				}
			})
		}
	}
}

func TestModelOfClassesDrivesACoderWhereOneIsGiven(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(3, 12, 9, 2)
	m, err := PixelCNN{First: 3, Channels: 4, Classes: 2, Labels: make([]int, 12), Train: neural.Train{Steps: 2, Backend: "go"}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (coding.Arithmetic{}).EncodeRows(t.Context(), m, x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a model of classes encodes pictures of no class: %v", err)
	}
	data, err := (coding.Arithmetic{}).EncodeRows(t.Context(), m.Given(0), x)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := (coding.Arithmetic{}).DecodeRows(t.Context(), m.Given(0), data); err != nil || !mat.Equal(back, x) {
		t.Errorf("pictures of a given class come back as others (%v)", err)
	}
}
