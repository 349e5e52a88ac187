package plotting_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/plotting"
)

func Example() {
	x := mat.NewDense(4, 2, []float64{1.4, 0.2, 1.3, 0.2, 4.7, 1.4, 4.5, 1.5})
	fig := plotting.Scatter(x, []int{0, 0, 1, 1}).Names("setosa", "versicolor").X("petal length (cm)").Y("petal width (cm)")
	r, err := fig.Render()
	fmt.Println(r.Alt, err)
	// Output: scatter plot of 4 points in 2 classes: setosa (2), versicolor (2). Axes: petal length (cm) from 1.16 to 4.84, petal width (cm) from 0.15 to 1.55. <nil>
}

// Marks are laid over each other, the first at the bottom.
func ExampleNew() {
	x := mat.NewDense(3, 2, []float64{0, 0, 1, 0, 0, 1})
	fig := plotting.New(
		plotting.Points(x),
		plotting.Ellipse([]float64{0.3, 0.3}, mat.NewSymDense(2, []float64{0.2, -0.1, -0.1, 0.2})).Label("covariance"),
		plotting.Note(0.3, 0.3, "mean"),
	).Title("Three points")
	r, err := fig.Render()
	fmt.Println(r.MIME, r.Width, r.Height, err)
	// Output: image/svg+xml 520 360 <nil>
}

func ExampleImages() {
	digits := mat.NewDense(2, 9, []float64{
		0, 1, 0, 1, 1, 0, 0, 1, 0,
		1, 1, 1, 1, 0, 1, 1, 1, 1,
	})
	r, err := plotting.Images(digits, 3, 3).Captions("1", "0").Render()
	fmt.Println(r.Alt, err)
	// Output: 2 gray images of 3 × 3 pixels in 1 row and 2 columns, labeled 1, 0. <nil>
}

// A model's Predict is drawn as it stands.
func ExampleDecision() {
	x := mat.NewDense(2, 2, []float64{-1, 0, 1, 0})
	sign := func(points mat.Matrix) ([]int, error) {
		n, _ := points.Dims()
		labels := make([]int, n)
		for i := range labels {
			if points.At(i, 0) > 0 {
				labels[i] = 1
			}
		}
		return labels, nil
	}
	_, err := plotting.Decision(sign).Add(plotting.Scatter(x, []int{0, 1})).Render()
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDendrogram() {
	r, err := plotting.Dendrogram([]int{0, 2, 4}, []int{1, 3, 5}, []float64{1, 1.5, 4}).Labels("a", "b", "c", "d").Cut(2).Render()
	fmt.Println(r.Alt, err)
	// Output: dendrogram of 4 leaves, highest merge at 4, cut at 2 into 2 clusters. Axes: horizontal axis with 4 names, height from 0 to 4.16. <nil>
}

func ExampleAnimation() {
	var frames []*plotting.Plot
	for k := range 5 {
		frames = append(frames, plotting.Function(func(x float64) float64 { return math.Sin(x - float64(k)) }, 0, 6))
	}
	r, err := plotting.Animation(frames...).Name("phase").Render()
	fmt.Println(r.MIME, err)
	// Output: text/html <nil>
}

func ExampleSave() {
	dir, err := os.MkdirTemp("", "figures")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "loss.png")
	fmt.Println(plotting.Save(plotting.Line(nil, []float64{3, 2, 1.5, 1.4}).X("step").Y("loss"), name))
	// Output: <nil>
}
