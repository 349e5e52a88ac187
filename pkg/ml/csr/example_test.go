package csr_test

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml/csr"
)

// Words of three documents, by number, become a table of counts.
func ExampleFromRows() {
	counts, err := csr.FromRows(5, [][]int{{0, 1, 0}, {4}, {2, 1}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("entries:", counts.NNZ(), "of", counts.Rows()*counts.Columns)
	fmt.Println("words a document:", counts.RowSums())
	words, times := counts.Of(0)
	fmt.Println("the first document has the words", words, "this often:", times)
	// Output:
	// entries: 5 of 15
	// words a document: [3 1 2]
	// the first document has the words [0 1] this often: [2 1]
}
