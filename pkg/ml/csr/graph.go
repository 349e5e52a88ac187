package csr

import (
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// Part returns the rows and the columns of a square matrix that rows names, in that order: of a
// graph, the edges between some of its nodes. The error is ml.ErrShape for a matrix that is not
// square, and ml.ErrParameter for a row that is out of range or named twice.
func (m *Matrix) Part(rows []int) (*Matrix, error) {
	const method = "csr.Matrix.Part"
	n := m.Rows()
	if m.Columns != n {
		return nil, ml.BadShape(method, "the matrix is %d×%d, want as many columns", n, m.Columns)
	}
	place := make(map[int]int, len(rows)) // so that all parts of a graph together cost what one does
	for k, i := range rows {
		if _, twice := place[i]; twice || i < 0 || i >= n {
			return nil, ml.BadParameter(method, sprintf("rows[%d]", k), i,
				sprintf("different rows, 0 to %d", n-1))
		}
		place[i] = k
	}
	out := &Matrix{Columns: len(rows), Start: make([]int, 1, len(rows)+1)}
	var row []entry
	for _, i := range rows {
		row = row[:0]
		columns, values := m.Of(i)
		for k, j := range columns {
			if to, ok := place[j]; ok {
				row = append(row, entry{to, values[k]})
			}
		}
		slices.SortFunc(row, byColumn)
		for _, e := range row {
			out.Index, out.Value = append(out.Index, e.column), append(out.Value, e.value)
		}
		out.Start = append(out.Start, len(out.Index))
	}
	return out, nil
}

// Components numbers the connected components of a graph, an edge in either direction taken as one
// in both: component[i] is that of node i, numbered from 0 in the order of their first nodes. Index
// holds nodes, so the matrix must be square.
func (m *Matrix) Components() (component []int, count int) {
	n := m.Rows()
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for i := range n {
		for _, j := range m.Index[m.Start[i]:m.Start[i+1]] {
			// The smaller root stays, so that a component's root is its first node.
			a, b := find(i), find(j)
			parent[max(a, b)] = min(a, b)
		}
	}
	component = make([]int, n)
	for i := range n {
		if r := find(i); r != i {
			component[i] = component[r]
			continue
		}
		component[i] = count
		count++
	}
	return component, count
}

// Pairs returns each edge of a graph once, as two nodes in ascending order: what a picture needs.
func (m *Matrix) Pairs() [][2]int {
	var out [][2]int
	for i := range m.Rows() {
		for _, j := range m.Index[m.Start[i]:m.Start[i+1]] {
			out = append(out, [2]int{min(i, j), max(i, j)})
		}
	}
	slices.SortFunc(out, func(a, b [2]int) int {
		if a[0] != b[0] {
			return a[0] - b[0]
		}
		return a[1] - b[1]
	})
	return slices.Compact(out)
}
