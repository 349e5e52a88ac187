package nb_test

import (
	"fmt"

	"github.com/golatent/latent/pkg/nb"
)

func ExampleCheck() {
	nb.Check("two and two are four", 2+2 == 4)
	// Output: ✓ two and two are four
}

func ExampleTable() {
	nb.Table([]string{"method", "ARI"}, []any{"k-means", 0.7302}, []any{"Gaussian mixture", 0.9039})
	// Output:
	// method            ARI
	// k-means           0.7302
	// Gaussian mixture  0.9039
}

func ExampleMemo() {
	slow := func() (int, error) { return 6 * 7, nil }
	fmt.Println(nb.Must(nb.Memo(nb.Key{"the answer", 6, 7}, slow)))
	// Output: 42
}
