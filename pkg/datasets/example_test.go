package datasets_test

import (
	"fmt"
	"strings"

	"github.com/golatent/latent/pkg/datasets"
)

func ExampleIris() {
	iris := datasets.Iris()
	n, d := iris.Dims()
	fmt.Println(n, d, iris.Classes)
	// Output: 150 4 [setosa versicolor virginica]
}

func ExampleMoons() {
	moons := datasets.Moons(300, 0.06, 1)
	n, d := moons.Dims()
	fmt.Println(n, d, moons.Y[:4])
	// Output: 300 2 [0 1 0 1]
}

func ExampleReadCSV() {
	x, names, err := datasets.ReadCSV(strings.NewReader("height,weight\n1.81,75\n1.65,58\n"))
	fmt.Println(names, x.At(1, 0), err)
	// Output: [height weight] 1.65 <nil>
}
