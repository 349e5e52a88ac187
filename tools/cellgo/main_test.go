package main

import (
	"slices"
	"testing"
)

func TestRewrite(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{}, []string{}},
		{[]string{"get"}, nil},
		{[]string{"get", "-t"}, nil},
		{[]string{"build", "-o", "x"}, []string{"build", "-ldflags=-s -w", "-o", "x"}},
		{[]string{"build", "-o", "x", "-ldflags=-w"}, []string{"build", "-o", "x", "-ldflags=-w"}},
		{[]string{"build", "--ldflags", "-w"}, []string{"build", "--ldflags", "-w"}},
		{[]string{"mod", "get"}, []string{"mod", "get"}},
		{[]string{"test", "-c"}, []string{"test", "-c"}},
	} {
		if got := rewrite(c.in); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("rewrite(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBeside(t *testing.T) {
	for _, c := range []struct {
		goos     string
		in, want []string
		program  string
	}{
		{"", []string{"build", "-o", "x"}, []string{"build", "-o", "x.cell"}, "x"},
		{"", []string{"test", "-c", "-o", "x"}, []string{"test", "-c", "-o", "x.cell"}, "x"},
		{"js", []string{"build", "-o", "x.wasm"}, []string{"build", "-o", "x.wasm"}, ""},
		{"", []string{"build", "./..."}, []string{"build", "./..."}, ""},
		{"", []string{"test", "-o", "x"}, []string{"test", "-o", "x"}, ""},
		{"", []string{"mod", "init", "x"}, []string{"mod", "init", "x"}, ""},
		{"", []string{}, []string{}, ""},
	} {
		if got, program := beside(c.in, c.goos); !slices.Equal(got, c.want) || program != c.program {
			t.Errorf("beside(%q) = %q, %q", c.in, got, program)
		}
	}
}
