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

func ExampleReader() {
	file := "\ufeffspecies;length;wet\nsetosa;1,4;true\nvirginica;NA;false\nsetosa;1,3;true\n"
	t, err := datasets.Reader{}.Read(strings.NewReader(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Found)
	for _, c := range t.Columns {
		fmt.Println(c.Name, c.Kind, c.CountMissing(), "missing")
	}
	_, err = datasets.Reader{}.Read(strings.NewReader("when,x\n03/04/2021,1.5\n05/06/2021,2\n"))
	fmt.Println(err)
	// Output:
	// utf-8, separated by semicolons, first row names the columns, decimal comma
	// species text 0 missing
	// length number 1 missing
	// wet boolean 0 missing
	// datasets: line 2: column "when": "03/04/2021" may have the day or the month first; Reader.Dates says so, "2/1/2006" or "1/2/2006" (or Kinds, that the column is Text): malformed file
}

func ExampleTable() {
	file := "species,length\nsetosa,1.4\nvirginica,NA\nsetosa,1.2\n"
	t, _ := datasets.Reader{}.Read(strings.NewReader(file))
	t, _ = t.Impute(datasets.Mean)
	d, err := t.Dataset("species")
	fmt.Println(d.Features, d.Classes, d.Y, err)
	fmt.Printf("%.1f\n", d.X.RawMatrix().Data)
	// Output:
	// [length] [setosa virginica] [0 1 0] <nil>
	// [1.4 1.3 1.2]
}
