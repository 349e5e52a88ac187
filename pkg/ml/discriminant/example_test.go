package discriminant_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/discriminant"
	"github.com/golatent/latent/pkg/ml/evaluate"
)

func ExampleLDA() {
	iris := datasets.Iris()
	m, err := discriminant.LDA{}.Fit(context.Background(), iris.X, iris.Y)
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := m.Predict(iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	z, err := m.Transform(iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, r := z.Dims()
	fmt.Printf("accuracy %.2f; %d rows on %d axes, the first with %.1f %% of the variance between the classes\n",
		evaluate.Accuracy(labels, iris.Y), n, r, 100*m.ExplainedRatio[0])
	// Output: accuracy 0.98; 150 rows on 2 axes, the first with 99.1 % of the variance between the classes
}

// 60 rows are too few for a covariance of 64 columns; shrinkage makes one of them.
func ExampleLDA_shrinkage() {
	digits := datasets.Digits()
	x, rest := digits.X.Slice(0, 60, 0, 64), digits.X.Slice(60, 1797, 0, 64)
	for _, lda := range []discriminant.LDA{{}, {Shrinkage: discriminant.LedoitWolf}, {Shrinkage: discriminant.OAS}} {
		m, err := lda.Fit(context.Background(), x, digits.Y[:60])
		if err != nil {
			fmt.Println(err)
			continue
		}
		labels, err := m.Predict(rest)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: accuracy %.2f\n", lda.Shrinkage, evaluate.Accuracy(labels, digits.Y[60:]))
	}
	// Output:
	// discriminant.LDA: the rank of the covariance within the classes = 50, want 51, the number of columns that vary: the classes differ in a direction in which none of them varies; Shrinkage may help
	// ledoit-wolf: accuracy 0.77
	// oas: accuracy 0.78
}

func ExampleQDA() {
	iris := datasets.Iris()
	m, err := discriminant.QDA{}.Fit(context.Background(), iris.X, iris.Y)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := m.Posterior(iris.X.Slice(70, 71, 0, 4))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("row 70, of class %d, has posteriors %.3f\n", iris.Y[70], p.RawRowView(0))
	// Output: row 70, of class 1, has posteriors [0.000 0.328 0.672]
}
