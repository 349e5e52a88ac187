package plotting

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml"
)

func TestPassage(t *testing.T) {
	for name, f := range map[string]*PassageFigure{
		"passage":        Passage("To be, or not to be:\n  <that> is the question, and a line that is too long goes on below.").Columns(40).Title("A passage"),
		"passage-values": Passage("ROMEO:\nO, speak again").Values([]float64{1, .8, .6, .4, .2, .1, 0, -1, -.8, -.6, -.4, -.2, -.1, 0, .3, .5, -.5, 0, 2, -2, 1}),
	} {
		r, err := f.Render()
		if err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(r.Data); err != nil || r.MIME != "image/svg+xml" || !strings.Contains(r.Alt, "A text that begins") {
			t.Errorf("%s: %v, %s, %q", name, err, r.MIME, r.Alt)
		}
		path := "testdata/" + name + ".svg"
		if *update {
			if err := os.WriteFile(path, r.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Data, want) {
			t.Errorf("the picture differs from %s; run with -update, look at it, and commit it if it is right", path)
		}
	}
}

func TestPassageBreaksLines(t *testing.T) {
	lines := func(text string, columns int) int {
		r, err := Passage(text).Columns(columns).Render()
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(r.Data, []byte("<text "))
	}
	for _, c := range []struct {
		text          string
		columns, want int
	}{{"one two three", 20, 1}, {"one two three", 9, 2}, {"one two three", 4, 4}, {"onetwothree", 4, 3}, {"a\n\nb", 10, 2}, {"é é é", 2, 3}} {
		if got := lines(c.text, c.columns); got != c.want {
			t.Errorf("%q in %d columns takes %d lines, want %d", c.text, c.columns, got, c.want)
		}
	}
}

func TestPassageRefuses(t *testing.T) {
	if _, err := Passage("").Render(); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no text: %v", err)
	}
	if _, err := Passage("ab").Values([]float64{1}).Render(); !errors.Is(err, ml.ErrShape) {
		t.Errorf("one value for two letters: %v", err)
	}
	if _, err := Passage("ab").Values([]float64{1, math.NaN()}).Render(); !errors.Is(err, ml.ErrNotFinite) {
		t.Errorf("NaN: %v", err)
	}
}
