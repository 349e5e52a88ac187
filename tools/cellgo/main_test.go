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
